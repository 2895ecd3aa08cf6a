-- Everything that an admission is decided from, as one step.
--
-- KEYS   1: version of what admissions are decided from, 2: the mission, 3: lines of its due items, 4: its items,
--        5: live attempts, 6: agents, 7: their presence, 8: missions that wait for a worker, 9: usage limits,
--        10: its due items that wait for a time, 11: due items of all missions that answer messages,
--        12: what the town's runs used by day, 13: what runs used by role and CLI,
--        14: machines without room for a run
-- ARGV   1: how many entries of each line, 2: field of the mission with the form of its indexes,
--        3: whether what runs used is wanted ('1'), also where nobody has limited this day; then keys of further items
-- Gives  the time, the version, the head and the form of the indexes, entries of the lines, the entries behind which
--        there are more, records of these entries' items, items whose time has come, whether some wait for a time,
--        attempts, agents, presence, the missions that wait for a worker, the records of the further items, usage
--        limits, the items that answer messages, what this day's runs used (field, value, ...), what runs used by role
--        and CLI, the machines without room; what is missing is nil
--
-- An entry is a line's name, a space, what orders it within the line, a space, and the key of its item.
local function records(names)
  local found = {}
  -- A page at a time: a call takes some thousand words at the most.
  for first = 1, #names, 1000 do
    local last = math.min(first + 999, #names)
    for i, text in ipairs(redis.call('HMGET', KEYS[4], unpack(names, first, last))) do
      found[first + i - 1] = text
    end
  end
  return found
end

local page = tonumber(ARGV[1])
local entries, keys, ends = {}, {}, {}
local from = '-'
while true do
  local names = redis.call('ZRANGEBYLEX', KEYS[3], from, '+', 'LIMIT', 0, page + 1)
  if #names == 0 then
    break
  end
  local lane = string.match(names[1], '^[^ ]* ')
  local count = 0
  for _, name in ipairs(names) do
    if string.sub(name, 1, #lane) ~= lane then
      break
    end
    count = count + 1
    if count > page then
      ends[#ends + 1] = entries[#entries]
    else
      entries[#entries + 1] = name
      keys[#keys + 1] = string.match(name, '^[^ ]* [^ ]* (.*)$')
    end
  end
  if count == #names and count <= page then
    break
  end
  -- The sign after the space: behind all of this line, before all of any other.
  from = '(' .. string.sub(lane, 1, -2) .. '!'
end

local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local first, ripe = redis.call('ZRANGE', KEYS[10], 0, 0, 'WITHSCORES'), {}
if #first > 0 and tonumber(first[2]) <= now then
  ripe = redis.call('ZRANGEBYSCORE', KEYS[10], '-inf', string.format('%.6f', now), 'LIMIT', 0, 500)
end

local function spent()
  local day = string.format('%d/', math.floor(time[1] / 86400))
  local names = {day .. 'nano', day .. 'tokens', day .. 'runs', day .. 'untold', day .. 'raised', day .. 'asked', 'started'}
  return {day, unpack(redis.call('HMGET', KEYS[12], unpack(names)))}
end

local used = spent()
local costs = {}
if ARGV[3] == '1' or used[6] then
  costs = redis.call('HGETALL', KEYS[13])
end

local asked = #keys
for i = 4, #ARGV do
  keys[#keys + 1] = ARGV[i]
end
local due, further = {}, {}
for i, text in ipairs(records(keys)) do
  if i <= asked then
    due[i] = text
  else
    further[i - asked] = text
  end
end
return {
  time,
  redis.call('GET', KEYS[1]),
  redis.call('HMGET', KEYS[2], 'head', ARGV[2]),
  entries,
  ends,
  due,
  ripe,
  #first > 0 and 1 or 0,
  redis.call('HGETALL', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('ZRANGE', KEYS[7], 0, -1, 'WITHSCORES'),
  redis.call('SMEMBERS', KEYS[8]),
  further,
  redis.call('HGETALL', KEYS[9]),
  redis.call('SMEMBERS', KEYS[11]),
  used,
  costs,
  redis.call('HGETALL', KEYS[14]),
}
