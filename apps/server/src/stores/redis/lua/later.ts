/**
 * Unfinished transactions that are due later than a time, by age; nothing is written.
 *
 * KEYS  index
 * ARGV  the padded number after that time, limit, name of the row keys without the gid
 * reply `<id><gid>` of each
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const LATER = script(
  "later",
  INDEX,
  String.raw`
local after, limit = ARGV[1], tonumber(ARGV[2])
local found = {}
for urgency = 0, 1 do
  local rest = redis.call('ZRANGEBYLEX', INDEX, '[d' .. urgency .. after, '(d' .. (urgency + 1))
  for i = 1, #rest do found[#found + 1] = string.sub(rest[i], 3 + ${WIDTH}) end
end
local driven = redis.call('ZRANGEBYLEX', INDEX, '[o', '(p')
for i = 1, #driven do
  local first = string.find(driven[i], '\0', 1, true)
  local id_and_gid = string.sub(driven[i], string.find(driven[i], '\0', first + 1, true) + 1)
  local due = redis.call('HGET', ARGV[3] .. string.sub(id_and_gid, ${WIDTH} + 1), 'due')
  if due and pad(due) >= after then found[#found + 1] = id_and_gid end
end
table.sort(found)
local out = {}
for i = 1, math.min(#found, limit) do out[i] = found[i] end
return out
`,
);
