-- Copy a town's records as they are at this very moment; the copies end by themselves.
--
-- ARGV   1: prefix of the town's keys, 2: prefix of the copies, 3: milliseconds that these live, 4: bytes that there is
--           room for, or '' for no limit, then names of keys; one that ends with '*' stands for all that begin so
-- Gives  the number of copies; -1: there is no room, and nothing was copied. The server itself would not stop a script
--        that has begun.
local prefix, target, life, room = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local exact, begins = {}, {}
for i = 5, #ARGV do
  if string.sub(ARGV[i], -1) == '*' then
    begins[#begins + 1] = string.sub(ARGV[i], 1, -2)
  else
    exact[ARGV[i]] = true
  end
end

local function is_wanted(name)
  if exact[name] then
    return true
  end
  for _, start in ipairs(begins) do
    if string.sub(name, 1, #start) == start then
      return true
    end
  end
  return false
end

-- All names first: the copies would be found as well.
local names, cursor = {}, '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', prefix .. '*', 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local name = string.sub(key, #prefix + 1)
    if is_wanted(name) then
      names[#names + 1] = name
    end
  end
until cursor == '0'

if room then
  for _, name in ipairs(names) do
    room = room - (redis.call('MEMORY', 'USAGE', prefix .. name, 'SAMPLES', 20) or 0)
    if room < 0 then
      return -1
    end
  end
end

local copies = 0
for _, name in ipairs(names) do
  -- A scan may give a key twice.
  if redis.call('COPY', prefix .. name, target .. name) == 1 then
    redis.call('PEXPIRE', target .. name, life)
    copies = copies + 1
  end
end
return copies
