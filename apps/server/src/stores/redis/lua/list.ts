/**
 * The next entries of a listing in this shard, newest first. It looks at no more than a chunk, so that a filter that fits nothing doesn't
 * hold up the server; nothing is written.
 *
 * KEYS  index
 * ARGV  the padded id below which to begin ("" for the newest), chunk, gid prefix, created from, created to ("" for any),
 *       name of the row keys without the gid; then status and type letters of what is wanted
 * reply { the padded id to go on below, "" at the end; then `<id><gid>` of each }
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const LIST = script(
  "list",
  INDEX,
  `
local below, chunk, prefix, from, to, rows = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local seen = {}
for i = 7, #ARGV do
  local begin = 'l' .. ARGV[i]
  -- A colon stands behind every digit.
  local found = redis.call('ZREVRANGEBYLEX', INDEX, '(' .. begin .. (below == '' and ':' or below), '[' .. begin, 'LIMIT', 0, chunk)
  for j = 1, #found do seen[#seen + 1] = string.sub(found[j], 4) end
end
table.sort(seen, function(a, b) return a > b end)
local more = #seen >= chunk
local out = {''}
for i = 1, math.min(#seen, chunk) do
  local gid = string.sub(seen[i], ${WIDTH} + 1)
  local fits = string.sub(gid, 1, #prefix) == prefix
  if fits and (from or to) then
    local created = tonumber(redis.call('HGET', rows .. gid, 'created') or '')
    fits = created ~= nil and (not from or created >= from) and (not to or created <= to)
  end
  if fits then out[#out + 1] = seen[i] end
  if more then out[1] = string.sub(seen[i], 1, ${WIDTH}) end
end
return out
`,
);
