-- Move one message from where it is to the quarantine, whole and unaltered; 0: it is not there (any more).
-- KEYS[1] a list, or a hash whose index (a zset) is KEYS[3]; KEYS[2] the quarantine, a list.
-- ARGV[1] the message; ARGV[2] its field in the hash.
if KEYS[3] then
  if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[1] then
    return 0
  end
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[2])
elseif redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  return 0
end
redis.call('RPUSH', KEYS[2], ARGV[1])
return 1
