-- Whether one more delivery may be tried now. While an endpoint fails, one try at a time, for all replicas together.
-- KEYS  standing
-- ARGV  [1] busy_ms: how long a try may take
-- Returns { status ('' = no such subscription), round, wait_ms (0 = go) }.

local standing = KEYS[1]
local status = redis.call('HGET', standing, 'status')
if not status then return { '', '0', 0 } end
local round = redis.call('HGET', standing, 'round') or '0'
if status == 'held' or status == 'ended' then return { status, round, 0 } end
if tonumber(redis.call('HGET', standing, 'failures') or '0') == 0 then return { status, round, 0 } end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local retry = tonumber(redis.call('HGET', standing, 'retry_ms') or '0')
if retry > now then return { status, round, retry - now } end
redis.call('HSET', standing, 'retry_ms', string.format('%d', now + tonumber(ARGV[1])))
return { status, round, 0 }
