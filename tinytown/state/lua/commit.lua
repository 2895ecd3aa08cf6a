-- Compare, then write, as one step.
--
-- KEYS   every key that is compared or written
-- ARGV   1: number of comparisons; then for each: index of its key, field ('' for a string key), version.
--           A record's version stands before its first newline; '0' means that it must not exist.
--           A field '<member' means: the member's score must not lie ahead of this server's clock (milliseconds).
--        then for each write: number of words, command, index of its key, further words.
--           The command ZADD_IN takes members, each with milliseconds from now by this server's clock.
--           The command XADD_TWICE takes a length, the index and length of a second stream, and an entry's fields.
-- Gives  {1, now in microseconds, answers of the writes} or {0, index of the key, field} of what differed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 1
local comparisons = tonumber(ARGV[at])
at = at + 1
for _ = 1, comparisons do
  local key, field, version = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  local value
  if string.sub(field, 1, 1) == '<' then
    local score = redis.call('ZSCORE', key, string.sub(field, 2))
    if score and tonumber(score) > now then
      return {0, tonumber(ARGV[at]), field}
    end
    value = version
  elseif field == '' then
    value = redis.call('GET', key)
  else
    value = redis.call('HGET', key, field)
  end
  local found = '0'
  if value then
    found = string.match(value, '^([^\n]*)')
  end
  if found ~= version then
    return {0, tonumber(ARGV[at]), field}
  end
  at = at + 3
end

local answers = {}
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local command, key = ARGV[at + 1], KEYS[tonumber(ARGV[at + 2])]
  local rest = {}
  for i = at + 3, at + words do
    rest[#rest + 1] = ARGV[i]
  end
  if command == 'ZADD_IN' then
    local scored = {}
    for i = 1, #rest, 2 do
      scored[i], scored[i + 1] = string.format('%.0f', now + tonumber(rest[i + 1])), rest[i]
    end
    answers[#answers + 1] = redis.call('ZADD', key, unpack(scored))
  elseif command == 'XADD_TWICE' then
    redis.call('XADD', KEYS[tonumber(rest[2])], 'MAXLEN', '~', rest[3], '*', unpack(rest, 4))
    answers[#answers + 1] = redis.call('XADD', key, 'MAXLEN', '~', rest[1], '*', unpack(rest, 4))
  else
    answers[#answers + 1] = redis.call(command, key, unpack(rest))
  end
  at = at + words + 1
end
return {1, string.format('%.0f', time[1] * 1000000 + time[2]), answers}
