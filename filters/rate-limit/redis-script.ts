import type { TokenBucket } from './token-bucket.ts';

/**
 * The arithmetic of token-bucket.ts for RateLimiterRedis (`customIncrTtlLuaScript`): one round trip, atomic, by the clock of
 * Redis, so that instances need not agree on the time. Answers what the library expects: points consumed (one more than
 * there are when refused) and milliseconds until the next one.
 *
 * ARGV[1] is the number of tokens to take; the library's other arguments speak of windows and are not used.
 * - A clock of Redis that is set back must lock nobody out: a deficit beyond an empty bucket's becomes that of an empty one,
 *   and is written down even when the request is refused.
 * - A bucket expires when it is full, when it is the same as an absent one.
 * - `%.4f`, since Lua's tostring() rounds a Unix time in milliseconds to 14 digits.
 * - Reading TIME before writing needs effects replication, which is the default from Redis 5 on.
 */
export function tokenBucketScript(bucket: TokenBucket): string {
  return `
local max, cost, burst, slack = ${bucket.maxTokens}, ${bucket.cost}, ${bucket.burst}, ${bucket.slack}
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local deficit = (tonumber(redis.call('GET', KEYS[1])) or 0) - now
local beyond = deficit > burst + slack
if beyond then deficit = burst elseif not (deficit > 0) then deficit = 0 end
local after = deficit + ARGV[1] * cost
local taken = after <= burst + slack
if not taken then after = deficit end
if taken or beyond then
  local expiry = math.min(math.ceil(after), ${longestExpiry})
  redis.call('SET', KEYS[1], string.format('%.4f', now + after), 'PX', string.format('%.0f', math.max(expiry, 1)))
end
local left = math.max(0, math.floor((burst - after + slack) / cost))
local wait = math.ceil(math.max(0, after - burst + (left + 1) * cost))
return { taken and max - left or max + 1, wait }
`;
}

/** 400 days in milliseconds, as long as a duration of the configuration may be. */
const longestExpiry = 34_560_000_000;
