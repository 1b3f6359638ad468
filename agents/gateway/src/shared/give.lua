-- Gives a call's place back. One that was never sent counts for nothing, one that was with what it used.
-- KEYS: as of take.lua
-- ARGV: call, second it began, requests to take back (0 or 1), tokens it counted with, tokens that it used
local second, requests = ARGV[2], tonumber(ARGV[3])
local counted, used = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREM', KEYS[1], ARGV[1])

-- Only what is counted is corrected: not a minute that is past, or was forgotten.
local function correct(key, by)
  local part = by ~= 0 and tonumber(redis.call('HGET', key, second) or '')
  if part then
    redis.call('HSET', key, second, string.format('%.0f', math.max(0, part + by)))
  end
end

correct(KEYS[2], -requests)
correct(KEYS[3], used - counted)
return {0, 0}
