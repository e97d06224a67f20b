-- Groups that have work, of one partition at one instant.
-- KEYS  streams; ARGV none
-- Returns { stream, group, pending, lag, ... } for each group with something pending or not yet delivered.
-- Redis' own lag is nil where entries were deleted by hand; then it is 1 if anything lies behind the last delivered entry.
-- After a crash it may stay above 0 for ever although nothing does.

local found = {}
for _, stream in ipairs(KEYS) do
  if redis.call('EXISTS', stream) == 1 then
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local group = {}
      for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
      local lag = group['lag']
      if type(lag) ~= 'number' or lag > 0 then
        local behind = #redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
        if type(lag) ~= 'number' or behind == 0 then lag = behind end
      end
      if group['pending'] > 0 or lag > 0 then
        found[#found + 1] = { stream, group['name'], group['pending'], lag }
      end
    end
  end
end
return found
