/**
 * What ended before a time, oldest end first; nothing is written.
 *
 * KEYS  index
 * ARGV  padded time, limit
 * reply gids
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX, ROW } from "./head.js";

export const ENDED = script(
  "ended",
  INDEX,
  `
local found = redis.call('ZRANGEBYLEX', INDEX, '[e', '(e' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for i = 1, #found do found[i] = string.sub(found[i], 2 + 2 * ${WIDTH}) end
return found
`,
);

/**
 * Removes finished rows together with their index entries, where they are still what was seen (R30).
 *
 * KEYS  index, then the rows
 * ARGV  padded time; then their gids
 * reply how many
 */
export const SWEEP = script(
  "sweep",
  INDEX,
  ROW,
  `
local count = 0
for i = 2, #KEYS do
  local r = read(KEYS[i], ARGV[i])
  if r and final(r.status) then
    local entries = placed(r, {listed(r)})
    if entries[2] < 'e' .. ARGV[1] then
      redis.call('ZREM', INDEX, unpack(entries))
      redis.call('UNLINK', KEYS[i])
      count = count + 1
    end
  end
end
return count
`,
);
