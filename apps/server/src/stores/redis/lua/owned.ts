/**
 * What an owner holds; nothing is written.
 *
 * KEYS  index
 * ARGV  owner, name of the row keys without the gid
 * reply gid and HGETALL by turns
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const OWNED = script(
  "owned",
  INDEX,
  String.raw`
local epoch, claim = epoch_of(ARGV[1])
local begin = 'o' .. epoch .. '\0' .. claim .. '\0'
local found = redis.call('ZRANGEBYLEX', INDEX, '[' .. begin, '(o' .. epoch .. '\0' .. claim .. '\1')
local out = {}
for i = 1, #found do
  local gid = string.sub(found[i], #begin + ${WIDTH} + 1)
  out[#out + 1] = gid
  out[#out + 1] = redis.call('HGETALL', ARGV[2] .. gid)
end
return out
`,
);
