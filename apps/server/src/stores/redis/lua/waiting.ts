/**
 * Resting transactions that wait for a destination; nothing is written.
 *
 * KEYS  index
 * ARGV  destination, limit
 * reply `<urgency><due><id><gid>` of each, in order
 */
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const WAITING = script(
  "waiting",
  INDEX,
  String.raw`
local begin = 'w' .. ARGV[1] .. '\0'
local found = redis.call('ZRANGEBYLEX', INDEX, '[' .. begin, '(w' .. ARGV[1] .. '\1', 'LIMIT', 0, ARGV[2])
for i = 1, #found do found[i] = string.sub(found[i], #begin + 1) end
return found
`,
);

/**
 * How many wait for each destination; nothing is written.
 *
 * KEYS  index
 * reply destination and count by turns
 */
export const DESTINATIONS = script(
  "destinations",
  INDEX,
  String.raw`
local out, cursor = {}, '[w'
while true do
  local first = redis.call('ZRANGEBYLEX', INDEX, cursor, '(x', 'LIMIT', 0, 1)[1]
  if not first then return out end
  local name = string.sub(first, 2, string.find(first, '\0', 1, true) - 1)
  cursor = '[w' .. name .. '\1'
  out[#out + 1] = name
  out[#out + 1] = tostring(redis.call('ZLEXCOUNT', INDEX, '[w' .. name .. '\0', '(w' .. name .. '\1'))
end
`,
);
