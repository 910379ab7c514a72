/**
 * Everything that the other scripts and the plain commands do, once, on a key that nobody needs: a login that may not, or a Redis that is
 * full, is found at the start and not by the first customer.
 *
 * KEYS  one of its own
 * reply OK
 */
import { script } from "../script.js";

export const TRIAL = script(
  "trial",
  `
local KEY = KEYS[1]
local function on_key(words)
  redis.call('UNLINK', KEY)
  for _, word in ipairs(words) do
    local name, rest = word[1], {}
    for i = 2, #word do rest[i - 1] = word[i] end
    redis.call(name, KEY, unpack(rest))
  end
end
redis.call('TIME')
on_key({{'INCRBY', 1}, {'EXISTS'}, {'PEXPIRE', 1000}})
on_key({{'HSET', 'a', '1'}, {'HSETNX', 'b', '1'}, {'HINCRBY', 'a', 1}, {'HGET', 'a'}, {'HMGET', 'a'}, {'HGETALL'}, {'HEXISTS', 'a'}, {'HDEL', 'a'}})
on_key({{'SADD', 'a'}, {'SISMEMBER', 'a'}, {'SMEMBERS'}, {'SREM', 'a'}})
on_key({
  {'ZADD', 0, 'a'}, {'ZSCORE', 'a'}, {'ZLEXCOUNT', '-', '+'}, {'ZRANGE', 0, -1}, {'ZRANGEBYLEX', '-', '+'}, {'ZREVRANGEBYLEX', '+', '-'},
  {'ZRANGEBYSCORE', '-inf', '+inf'}, {'ZREM', 'a'}
})
redis.call('UNLINK', KEY)
return redis.status_reply('OK')
`,
);
