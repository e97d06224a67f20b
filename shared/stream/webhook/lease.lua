-- Who works a subscription in a partition: one process at a time, by a token that no other ever gets.
-- KEYS  lease, fence
-- ARGV  [1] claim, renew or release  [2] owner, or the token  [3] ttl_ms
-- Returns the token, '' where somebody else has it.

if ARGV[1] == 'claim' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return '' end
  local token = ARGV[2] .. ':' .. string.format('%d', redis.call('INCR', KEYS[2]))
  redis.call('SET', KEYS[1], token, 'PX', ARGV[3])
  return token
end
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return '' end
if ARGV[1] == 'renew' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return ARGV[2]
