-- Renew a lease whose holder can prove its claim.
--
-- KEYS   1: live attempts, 2: leases
-- ARGV   1: attempt, 2: token, 3: milliseconds from now by this server's clock
-- Gives  1, or 0 if the attempt is not live or held under another token.
--
-- A lease that ran out while nobody could reach the server is renewed as long as nobody reclaimed it:
-- reclaiming takes the attempt out of the live ones in the same step.
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if not holder or string.match(holder, '^([^\n]*)') ~= ARGV[2] then
  return 0
end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3])
redis.call('ZADD', KEYS[2], string.format('%.0f', ends), ARGV[1])
return 1
