-- Records what became of deliveries, and how far the subscription is: all of it, or nothing without the lease.
-- KEYS  lease, cursor, ahead, tries, ledger
-- ARGV  [1] token  [2] the plan, as MessagePack:
--   moved: stream -> entry id; ahead, passed: members of the set of what is done beyond the cursor
--   tried: member -> tries so far ('' = forget); row: fields of the ledger's entry; kept_ms: how long the ledger is kept
-- Returns 1, or 0 where the lease is lost.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local plan = cmsgpack.unpack(ARGV[2])
for stream, entry_id in pairs(plan.moved) do redis.call('HSET', KEYS[2], stream, entry_id) end
for _, member in ipairs(plan.ahead) do redis.call('SADD', KEYS[3], member) end
for _, member in ipairs(plan.passed) do redis.call('SREM', KEYS[3], member) end
for member, tries in pairs(plan.tried) do
  if tries == '' then redis.call('HDEL', KEYS[4], member) else redis.call('HSET', KEYS[4], member, tries) end
end
if #plan.row > 0 then
  redis.call('XADD', KEYS[5], '*', unpack(plan.row))
  local clock = redis.call('TIME')
  local oldest = clock[1] * 1000 + math.floor(clock[2] / 1000) - tonumber(plan.kept_ms)
  redis.call('XTRIM', KEYS[5], 'MINID', '~', string.format('%d', math.max(0, oldest)))
end
return 1
