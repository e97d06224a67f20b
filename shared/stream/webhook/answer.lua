-- What a try has told of the endpoint. Of the tries that fail side by side only the first counts.
-- KEYS  standing
-- ARGV  [1] outcome (ok, failed, gone)  [2] the round that `turn` gave  [3] wait_ms that the receiver asked for
--       [4] first_ms, [5] longest_ms: pauses between tries  [6] failures after which it is paused
--       [7] cause  [8] at: the instant to show
-- Returns { change ('', 'paused', 'resumed', 'ended'), now_ms, ok_ms: when it last took something, before this try,
--           since: when what has changed began }.

local standing = KEYS[1]
local status = redis.call('HGET', standing, 'status')
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ok_ms = tonumber(redis.call('HGET', standing, 'ok_ms') or '0')
if not status then return { '', now, ok_ms, '' } end

if ARGV[1] == 'ok' then
  redis.call('HSET', standing, 'ok_ms', string.format('%d', now))
  if tonumber(redis.call('HGET', standing, 'failures') or '0') > 0 then
    redis.call('HINCRBY', standing, 'round', 1)
  end
  redis.call('HDEL', standing, 'failures', 'retry_ms')
  if status ~= 'paused' then return { '', now, ok_ms, '' } end
  local since = redis.call('HGET', standing, 'since') or ''
  redis.call('HSET', standing, 'status', 'active')
  redis.call('HDEL', standing, 'since', 'cause')
  return { 'resumed', now, ok_ms, since }
end

if ARGV[1] == 'gone' then
  if status == 'ended' then return { '', now, ok_ms, '' } end
  redis.call('HSET', standing, 'status', 'ended', 'cause', ARGV[7], 'since', ARGV[8])
  return { 'ended', now, ok_ms, ARGV[8] }
end

if ARGV[2] ~= (redis.call('HGET', standing, 'round') or '0') then return { '', now, ok_ms, '' } end
local failures = redis.call('HINCRBY', standing, 'failures', 1)
redis.call('HINCRBY', standing, 'round', 1)
local pause = math.min(tonumber(ARGV[5]), tonumber(ARGV[4]) * 2 ^ math.min(failures - 1, 30))
pause = math.max(pause, tonumber(ARGV[3]))
redis.call('HSET', standing, 'retry_ms', string.format('%d', now + pause))
if failures < tonumber(ARGV[6]) or status ~= 'active' then return { '', now, ok_ms, '' } end
redis.call('HSET', standing, 'status', 'paused', 'cause', ARGV[7], 'since', ARGV[8])
return { 'paused', now, ok_ms, ARGV[8] }
