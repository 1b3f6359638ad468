-- Takes a place for one call within a provider's limits, or says why there is none. What `rates.rs` does for one replica,
-- for all of them, by the server's clock.
-- KEYS: calls under way (sorted set: call, end of its lease in ms), requests, tokens (hashes: second, uses in it)
-- ARGV: call, lease in ms, most at once, most requests a minute, most tokens a minute (0: any), tokens of this call
-- Answer: {0, second it began}, {1, 0} where too many are under way, {2, seconds to wait} where a minute is used up
local WINDOW = 61
local call, lease = ARGV[1], tonumber(ARGV[2])
local at_once, most_requests, most_tokens = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local tokens = tonumber(ARGV[6])
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Leases that have ended: a gateway that was killed renews none. Ones that end later than any can are of another clock.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. (now + lease), '+inf')
if redis.call('ZCARD', KEYS[1]) >= at_once then
  return {1, 0}
end

-- In how many seconds so many more fit into a minute's limit.
local function wait(key, most, wanted)
  if most == 0 then
    return 0
  end
  local uses = redis.call('HGETALL', key)
  local seconds, parts, used = {}, {}, 0
  for n = 1, #uses, 2 do
    local at, part = tonumber(uses[n]), tonumber(uses[n + 1])
    if not at or not part or at + WINDOW <= second or at > second then
      redis.call('HDEL', key, uses[n])
    else
      seconds[#seconds + 1], parts[at], used = at, part, used + part
    end
  end
  table.sort(seconds)
  local room, left = most - math.min(wanted, most), 0
  for _, at in ipairs(seconds) do
    if used <= room then
      break
    end
    used, left = used - parts[at], at + WINDOW - second
  end
  return left
end

local left = math.max(wait(KEYS[2], most_requests, 1), wait(KEYS[3], most_tokens, tokens))
if left > 0 then
  return {2, left}
end

redis.call('ZADD', KEYS[1], now + lease, call)
redis.call('PEXPIRE', KEYS[1], lease)
if most_requests > 0 then
  redis.call('HINCRBY', KEYS[2], second, 1)
  redis.call('EXPIRE', KEYS[2], WINDOW)
end
if most_tokens > 0 then
  redis.call('HINCRBY', KEYS[3], second, tokens)
  redis.call('EXPIRE', KEYS[3], WINDOW)
end
return {0, second}
