/**
 * Which nodes live, on the clock of the Redis that holds this slot (R2). nodes.ts says why a death is told to every shard.
 *
 * Each of these has
 * KEYS  alive (sorted by the end of the lease), dead (sorted by when it was noticed), untold (dead, but not all shards know)
 */
import { script } from "../script.js";

/** A dead epoch is forgotten after this long; no process sleeps that long and then beats again. */
const REMEMBERED_MS = 30 * 86_400_000;

const CLOCK = `
local ALIVE, DEAD, UNTOLD = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local function bury(epoch)
  redis.call('ZREM', ALIVE, epoch)
  redis.call('ZADD', DEAD, now, epoch)
  redis.call('SADD', UNTOLD, epoch)
end
local function bury_expired()
  for _, epoch in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, '-inf', string.format('%d', now))) do bury(epoch) end
end
`;

/**
 * ARGV  epoch, lease in milliseconds
 * reply {1 or 0: it was declared dead, then the untold ones}
 */
export const HEARTBEAT = script(
  "heartbeat",
  CLOCK,
  `
local heard = 0
if not redis.call('ZSCORE', DEAD, ARGV[1]) then
  redis.call('ZADD', ALIVE, string.format('%d', now + tonumber(ARGV[2])), ARGV[1])
  heard = 1
end
bury_expired()
local out = redis.call('SMEMBERS', UNTOLD)
table.insert(out, 1, heard)
return out
`,
);

/** reply {those alive, the untold ones} */
export const EPOCHS = script(
  "epochs",
  CLOCK,
  `
bury_expired()
return {redis.call('ZRANGE', ALIVE, 0, -1), redis.call('SMEMBERS', UNTOLD)}
`,
);

/** ARGV  epoch */
export const RETIRE = script("retire", CLOCK, "bury(ARGV[1])");

/**
 * Epochs that own rows, though nobody here knows that they live. Dead ones are told to the shards again. Unknown ones (this slot's data may
 * be older than theirs, after a failover) have as long as given to be heard of.
 *
 * ARGV  milliseconds; then the epochs
 */
export const DOUBT = script(
  "doubt",
  CLOCK,
  `
for i = 2, #ARGV do
  if redis.call('ZSCORE', DEAD, ARGV[i]) then redis.call('SADD', UNTOLD, ARGV[i])
  elseif not redis.call('ZSCORE', ALIVE, ARGV[i]) then redis.call('ZADD', ALIVE, string.format('%d', now + tonumber(ARGV[1])), ARGV[i]) end
end
`,
);

/**
 * ARGV  epochs that every shard knows to be dead
 * reply those that may be forgotten, a hundred at the most: dead for long, and told for longer than these
 */
export const TOLD = script(
  "told",
  CLOCK,
  `
redis.call('SREM', UNTOLD, unpack(ARGV))
local fresh, out = {}, {}
for i = 1, #ARGV do fresh[ARGV[i]] = true end
for _, epoch in ipairs(redis.call('ZRANGEBYSCORE', DEAD, '-inf', string.format('%d', now - ${REMEMBERED_MS}), 'LIMIT', 0, 100)) do
  if not fresh[epoch] and redis.call('SISMEMBER', UNTOLD, epoch) == 0 then out[#out + 1] = epoch end
end
return out
`,
);

/** ARGV  epochs that every shard has forgotten */
export const FORGOTTEN = script("forgotten", CLOCK, "redis.call('ZREM', DEAD, unpack(ARGV))");

/**
 * In a shard: these epochs are dead from here on, and own nothing new.
 *
 * KEYS  index
 * ARGV  epochs
 */
export const TELL = script("tell", `for i = 1, #ARGV do redis.call('ZADD', KEYS[1], 0, 'x' .. ARGV[i]) end`);

/**
 * In a shard: nothing is left of these epochs.
 *
 * KEYS  index
 * ARGV  epochs
 */
export const FORGET = script("forget", `for i = 1, #ARGV do redis.call('ZREM', KEYS[1], 'x' .. ARGV[i]) end`);
