-- The name under which the audit log knows a patient. Of whom nothing is held, e.g. after an erasure, none is kept.
-- KEYS  [1] aliases (hash: patient -> alias), [2] names (hash: alias -> patient), [3...] the patient's records
-- ARGV  [1] the patient, [2] a fresh alias
-- Returns the alias.

local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
    break
  end
end
return ARGV[2]
