-- Compare, then write, as one step.
--
-- KEYS   every key that is compared or written
-- ARGV   1: number of keys that are compared; then for each: its index, how many of its fields are compared, and for
--           each of them: field ('' for a string key), version.
--           A record's version stands before its first newline; '0' means that it must not exist.
--           A field '<member' means: the member's score must not lie ahead of this server's clock (milliseconds).
--        then for each write: number of words, command, index of its key, further words.
--           The command ZADD_IN takes members, each with milliseconds from now by this server's clock.
--           The command SPEND takes the index of the key with what runs used, a field of that, how many are kept there,
--           a run's nanodollars and its tokens ('' for untold); it adds them to this day by this server's clock.
--           The command XADD_TWICE takes a length, the index and length of a second stream, and an entry's fields.
-- Gives  {1, answers of the writes} or {0, index of the key, field} of what differed.
local clock
local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

local function late(key, member)
  local score = redis.call('ZSCORE', key, member)
  return not score or tonumber(score) <= now()
end

local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local index, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local key, fields = KEYS[index], {}
  for i = 1, count do
    fields[i] = ARGV[at + 2 * i]
  end
  if string.sub(fields[1], 1, 1) == '<' then
    if not late(key, string.sub(fields[1], 2)) then
      return {0, index, fields[1]}
    end
  else
    local values = fields[1] == '' and {redis.call('GET', key)} or redis.call('HMGET', key, unpack(fields))
    for i = 1, count do
      local found = values[i] and string.match(values[i], '^([^\n]*)') or '0'
      if found ~= ARGV[at + 2 * i + 1] then
        return {0, index, fields[i]}
      end
    end
  end
  at = at + 2 + 2 * count
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
      scored[i], scored[i + 1] = string.format('%.0f', now() + tonumber(rest[i + 1])), rest[i]
    end
    answers[#answers + 1] = redis.call('ZADD', key, unpack(scored))
  elseif command == 'SPEND' then
    local usd, tokens, day = rest[4], rest[5], string.format('%d/', math.floor(now() / 86400000))
    redis.call('HINCRBY', key, day .. 'runs', 1)
    redis.call('HINCRBY', key, usd ~= '' and day .. 'nano' or day .. 'untold', usd ~= '' and usd or 1)
    if tokens ~= '' then
      redis.call('HINCRBY', key, day .. 'tokens', tokens)
    end
    local kept, found = {usd .. ':' .. tokens}, redis.call('HGET', KEYS[tonumber(rest[1])], rest[2])
    for one in string.gmatch(found or '', '[^ ]+') do
      if #kept < tonumber(rest[3]) then
        kept[#kept + 1] = one
      end
    end
    kept = table.concat(kept, ' ')
    -- Most runs of some CLIs tell nothing, one like the other.
    answers[#answers + 1] = kept == found and 0 or redis.call('HSET', KEYS[tonumber(rest[1])], rest[2], kept)
  elseif command == 'XADD_TWICE' then
    redis.call('XADD', KEYS[tonumber(rest[2])], 'MAXLEN', '~', rest[3], '*', unpack(rest, 4))
    answers[#answers + 1] = redis.call('XADD', key, 'MAXLEN', '~', rest[1], '*', unpack(rest, 4))
  else
    answers[#answers + 1] = redis.call(command, key, unpack(rest))
  end
  at = at + words + 1
end
return {1, answers}
