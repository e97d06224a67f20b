-- Appends one entry to the audit log, if nobody was faster, and lets go of what is too old.
-- KEYS  log (stream), head (string: `<seq>:<hash>` of the newest entry)
-- ARGV  [1] the head that the entry follows, [2] the entry, [3] the new head, [4] the oldest id to keep
-- Returns 1, or 0 where the head has moved.

if (redis.call('GET', KEYS[2]) or '0:') ~= ARGV[1] then return 0 end
redis.call('XADD', KEYS[1], '*', '__data__', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[4])
return 1
