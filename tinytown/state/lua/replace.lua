-- Remove all keys of a town but some, and put others in their place, as one step.
--
-- ARGV   1: prefix of the town's keys, 2: prefix of the keys that take their place, or '', then names of keys that stay;
--           one that ends with '*' stands for all that begin so
-- Gives  how many were removed, and how many were put in their place
local prefix, source = ARGV[1], ARGV[2]
local exact, begins = {}, {}
for i = 3, #ARGV do
  if string.sub(ARGV[i], -1) == '*' then
    begins[#begins + 1] = string.sub(ARGV[i], 1, -2)
  else
    exact[ARGV[i]] = true
  end
end

local function stays(name)
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

local gone, new, cursor = {}, {}, '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', prefix .. '*', 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if source ~= '' and string.sub(key, 1, #source) == source then
      new[key] = true
    elseif not stays(string.sub(key, #prefix + 1)) then
      gone[key] = true
    end
  end
until cursor == '0'

local removed, put = 0, 0
for key, _ in pairs(gone) do
  removed = removed + redis.call('UNLINK', key)
end
for key, _ in pairs(new) do
  local name = prefix .. string.sub(key, #source + 1)
  redis.call('RENAME', key, name)
  redis.call('PERSIST', name)
  put = put + 1
end
return {removed, put}
