-- Timers that are due go to their service's due streams, in the order of their instants.
-- KEYS  timers (sorted set), due (stream), urgent (stream)
-- ARGV  [1] now in ms, [2] how many at most, [3] the service's group
-- Returns { how many went, 1 if at this instant nothing due is left anywhere: not set, not undelivered, not pending }.

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #due, 2 do
  local lane = string.find(due[i], '|!', 1, true) and KEYS[3] or KEYS[2]
  redis.call('XADD', lane, '*', '__data__', string.format('%d', tonumber(due[i + 1])) .. '|' .. due[i])
  redis.call('ZREM', KEYS[1], due[i])
end
if #due > 0 then return { #due / 2, 0 } end

local function is_drained(lane)
  if redis.call('EXISTS', lane) == 0 then return true end
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', lane)) do
    local group = {}
    for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
    if group['name'] == ARGV[3] then
      local behind = redis.call('XRANGE', lane, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
      return group['pending'] == 0 and #behind == 0
    end
  end
  return false
end

return { 0, (is_drained(KEYS[2]) and is_drained(KEYS[3])) and 1 or 0 }
