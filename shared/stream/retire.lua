-- Removes consumers of replicas that are gone. One that has anything pending stays until that is claimed:
-- deleting it would lose those entries.
-- KEYS  stream; ARGV [1] group, [2] idle for at least this many ms
-- Returns how many were removed.

local removed = 0
for _, reply in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #reply, 2 do consumer[reply[i]] = reply[i + 1] end
  if consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed = removed + 1
  end
end
return removed
