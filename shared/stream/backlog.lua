-- What the groups of some streams of one partition have still to do, at one instant.
-- KEYS  streams; ARGV none
-- Returns { stream, group, pending, lag, ms, pending_ms } for each group; ms: since when its oldest entry waits, pending_ms:
-- the age of its oldest pending entry; 0 if there is none.
-- Redis' own lag is nil where entries were deleted by hand; then it is 1 if anything lies behind the last delivered entry.
-- After a crash it may stay above 0 for ever although nothing does.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function waited(entry_id) return math.max(0, now - tonumber(string.match(entry_id, '^%d+'))) end

local found = {}
for _, stream in ipairs(KEYS) do
  if redis.call('EXISTS', stream) == 1 then
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local group = {}
      for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
      local behind = redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
      local ms, pending_ms = 0, 0
      if #behind > 0 then ms = waited(behind[1][1]) end
      if group['pending'] > 0 then
        local oldest = redis.call('XPENDING', stream, group['name'])[2]
        if oldest then pending_ms = waited(oldest) end
        ms = math.max(ms, pending_ms)
      end
      local lag = group['lag']
      if type(lag) ~= 'number' or #behind == 0 then lag = #behind end
      found[#found + 1] = { stream, group['name'], group['pending'], lag, ms, pending_ms }
    end
  end
end
return found
