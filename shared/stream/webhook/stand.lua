-- What a person decides: held or active.
-- KEYS  standing
-- ARGV  [1] held or active  [2] cause  [3] at: the instant to show
-- Returns what stood before, '' where there is no such subscription.

local before = redis.call('HGET', KEYS[1], 'status')
if not before then return '' end
redis.call('HSET', KEYS[1], 'status', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'round', 1)
redis.call('HDEL', KEYS[1], 'failures', 'retry_ms', 'since', 'cause')
if ARGV[1] == 'held' then redis.call('HSET', KEYS[1], 'since', ARGV[3], 'cause', ARGV[2]) end
return before
