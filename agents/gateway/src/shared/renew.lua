-- Begins the leases of calls under way anew. Also of those that the server has forgotten.
-- KEYS: as of take.lua
-- ARGV: lease in ms, calls
local time, lease = redis.call('TIME'), tonumber(ARGV[1])
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for n = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now + lease, ARGV[n])
end
redis.call('PEXPIRE', KEYS[1], lease)
return {0, 0}
