-- Everything that an admission is decided from, as one step.
--
-- KEYS   1: version of what admissions are decided from, 2: the mission, 3: its due items, 4: its items, 5: live attempts,
--        6: agents, 7: their presence, 8: missions that wait for a worker,
--        9: usage limits
-- ARGV   1: id of the mission, then keys of further items
-- Gives  the time, the version, the head, keys of the due items, their records, attempts, agents, presence, whether
--        the mission waits for a worker, the records of the further items, usage limits; what is missing is nil
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

local further = {}
for i = 2, #ARGV do
  further[#further + 1] = ARGV[i]
end
local due = redis.call('SMEMBERS', KEYS[3])
return {
  redis.call('TIME'),
  redis.call('GET', KEYS[1]),
  redis.call('HGET', KEYS[2], 'head'),
  due,
  records(due),
  redis.call('HGETALL', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('ZRANGE', KEYS[7], 0, -1, 'WITHSCORES'),
  redis.call('SISMEMBER', KEYS[8], ARGV[1]),
  records(further),
  redis.call('HGETALL', KEYS[9]),
}
