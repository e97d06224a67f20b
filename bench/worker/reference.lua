-- One batch: for each patient the state by compare-and-set, the marks, the adjustments and the acknowledgement.
-- KEYS per patient: state, seen, numbers; then the adjustments stream, then the sessions stream
-- ARGV per patient: entry id, version, record, mark, mark, program, prefix, suffix; returns who has to try again
local adjustments, sessions = KEYS[#KEYS - 1], KEYS[#KEYS]
local lost, a = {}, 1
for k = 1, #KEYS - 2, 3 do
  local current = redis.call('GETRANGE', KEYS[k], 0, 20)
  if (string.match(current, '^%d+') or '0') == ARGV[a + 1] then
    redis.call('SET', KEYS[k], ARGV[a + 2])
    redis.call('ZADD', KEYS[k + 1], 0, ARGV[a + 3], 0, ARGV[a + 4])
    local number = redis.call('HINCRBY', KEYS[k + 2], ARGV[a + 5], 1)
    redis.call('XADD', adjustments, '*', '__data__', ARGV[a + 6] .. number .. ARGV[a + 7])
    redis.call('XACK', sessions, 'progression', ARGV[a])
  else
    lost[#lost + 1] = (k + 2) / 3
  end
  a = a + 8
end
return lost
