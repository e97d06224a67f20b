-- One batch of one service and partition: all of a patient's changes, or none of them.
--
-- KEYS  every key that is touched; the plan names them by position
-- ARGV  [1] the plan, as MessagePack, [2...] what is long: record, prefix, suffix, entries and letters name it by
--       position, 0 where there is none
--   group, source (stream key), dead (dead letters key), timers, due, urgent (keys), window_ms, now_ms
--   patients: { state, tombstone, seen, numbers, version, record (0 = leave), expires, buried, erased,
--               marks, unmarks, events {stream, prefix, suffix, program, mode, place, rejected}, set {member, due_ms}, cancelled,
--               alias, name (0 unless erased), subject,
--               ledger, entries, listed {list, member, ms}, unlisted {list, member}, register, facts {name, value},
--               acks, letters {entry_id, letter} }
--   strays:   entries that another service answers for: acknowledged, no more
-- Returns the positions of the patients whose version has moved: nothing of theirs was changed.
--
-- Safe to send again after a timeout: a patient's second commit finds another version, a stray's finds
-- nothing left to acknowledge. Nothing here can fail midway so long as the keys keep their types.

local plan = cmsgpack.unpack(ARGV[1])
local group, source, dead = plan.group, KEYS[plan.source], KEYS[plan.dead]
local timers, due, urgent = KEYS[plan.timers], KEYS[plan.due], KEYS[plan.urgent]

-- Only who acknowledges an entry publishes its dead letter.
local function bury(entry_id, letter)
  if redis.call('XACK', source, group, entry_id) == 1 then
    redis.call('XADD', dead, '*', '__data__', ARGV[letter])
  end
end

local function publish(event, numbers, now)
  if event[6] ~= '' then
    local rejected = KEYS[event[7]]
    if redis.call('ZADD', rejected, 'NX', string.format('%d', now), event[6]) == 0 then return end
    redis.call('ZREMRANGEBYSCORE', rejected, '-inf', string.format('(%d', now - tonumber(plan.window_ms)))
    redis.call('PEXPIRE', rejected, plan.window_ms)
  end
  local body = ARGV[event[2]]
  if event[5] ~= '' then
    local number
    if event[5] == 'next' then
      number = redis.call('HINCRBY', numbers, event[4], 1)
    else
      number = tonumber(redis.call('HGET', numbers, event[4]) or '0')
    end
    body = body .. string.format('%d', number) .. ARGV[event[3]]
  end
  redis.call('XADD', KEYS[event[1]], '*', '__data__', body)
end

-- Of a record only as much as holds its version: it is read and written by the services alone.
local function version_of(key)
  return string.match(redis.call('GETRANGE', key, 0, 20), '^%d+')
end

local function commit(patient)
  local state, seen, numbers = KEYS[patient.state], KEYS[patient.seen], KEYS[patient.numbers]
  local tombstone = KEYS[patient.tombstone]
  local living = version_of(state)
  if (living or version_of(tombstone) or '0') ~= patient.version then return false end

  if patient.erased then
    redis.call('DEL', seen, numbers, KEYS[patient.ledger])
    -- What the audit log holds of the patient is nobody's from now on.
    local alias = redis.call('HGET', KEYS[patient.alias], patient.subject)
    if alias then
      redis.call('HDEL', KEYS[patient.alias], patient.subject)
      redis.call('HDEL', KEYS[patient.name], alias)
    end
  end
  if patient.record > 0 then
    local record = ARGV[patient.record]
    if patient.buried then
      redis.call('DEL', state)
      redis.call('SET', tombstone, record, 'PX', plan.window_ms)
    elseif patient.expires then
      redis.call('SET', state, record, 'PX', plan.window_ms)
    else
      redis.call('SET', state, record)
    end
    if not living and not patient.buried then redis.call('DEL', tombstone) end
  end
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  for _, mark in ipairs(patient.marks) do redis.call('ZADD', seen, string.format('%d', now), mark) end
  for _, mark in ipairs(patient.unmarks) do redis.call('ZREM', seen, mark) end
  if #patient.marks > 0 then
    redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('(%d', now - tonumber(plan.window_ms)))
    redis.call('PEXPIRE', seen, plan.window_ms)
  end
  for _, event in ipairs(patient.events) do publish(event, numbers, now) end
  for _, member in ipairs(patient.cancelled) do redis.call('ZREM', timers, member) end
  for _, timer in ipairs(patient.set) do
    -- One that is due already goes to its stream in this very step: nobody sees the service idle between.
    if tonumber(timer[2]) <= tonumber(plan.now_ms) then
      redis.call('ZREM', timers, timer[1])
      redis.call('XADD', string.find(timer[1], '|!', 1, true) and urgent or due, '*', '__data__', timer[2] .. '|' .. timer[1])
    else
      redis.call('ZADD', timers, timer[2], timer[1])
    end
  end
  for _, entry in ipairs(patient.entries) do
    redis.call('XADD', KEYS[patient.ledger], '*', '__data__', ARGV[entry])
  end
  for _, item in ipairs(patient.unlisted) do redis.call('ZREM', KEYS[item[1]], item[2]) end
  for _, item in ipairs(patient.listed) do redis.call('ZADD', KEYS[item[1]], item[3], item[2]) end
  for _, fact in ipairs(patient.facts) do redis.call('HSET', KEYS[patient.register], fact[1], fact[2]) end
  for _, letter in ipairs(patient.letters) do bury(letter[1], letter[2]) end
  for _, entry_id in ipairs(patient.acks) do redis.call('XACK', source, group, entry_id) end
  return true
end

local lost = {}
for position, patient in ipairs(plan.patients) do
  if not commit(patient) then lost[#lost + 1] = position end
end
for _, entry_id in ipairs(plan.strays) do redis.call('XACK', source, group, entry_id) end
return lost
