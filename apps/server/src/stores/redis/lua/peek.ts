/**
 * What of a shard may be claimed now, as far as the index tells; claim.ts decides. Nothing is written.
 *
 * KEYS  index
 * ARGV  limit, now (padded), the padded number after it, name of the row keys without the gid
 * reply { due ones being undone, other due ones: `<urgency><due><id><gid>`, in order, one more than the limit;
 *         the next one that isn't due of each, "" for none; the same of what dead epochs left; epochs that own something and aren't
 *         known here to be dead }
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const PEEK = script(
  "peek",
  INDEX,
  String.raw`
local limit, now, after, rows = tonumber(ARGV[1]) + 1, ARGV[2], ARGV[3], ARGV[4]
local function due(urgency)
  local from = '[d' .. urgency
  local found = redis.call('ZRANGEBYLEX', INDEX, from, '(d' .. urgency .. after, 'LIMIT', 0, limit)
  for i = 1, #found do found[i] = string.sub(found[i], 2) end
  local next = redis.call('ZRANGEBYLEX', INDEX, from .. after, '(d' .. (urgency + 1), 'LIMIT', 0, 1)[1]
  return found, next and string.sub(next, 2) or ''
end
local undo, next_undo = due(0)
local other, next_other = due(1)

local left, unsure, cursor = {}, {}, '[o'
while true do
  local first = redis.call('ZRANGEBYLEX', INDEX, cursor, '(p', 'LIMIT', 0, 1)[1]
  if not first then break end
  local epoch = string.sub(first, 2, string.find(first, '\0', 1, true) - 1)
  cursor = '[o' .. epoch .. '\1'
  if redis.call('ZSCORE', INDEX, 'x' .. epoch) then
    local owned = redis.call('ZRANGEBYLEX', INDEX, '[o' .. epoch .. '\0', '(o' .. epoch .. '\1', 'LIMIT', 0, 1000)
    for i = 1, #owned do
      local begin = string.find(owned[i], '\0', #epoch + 3, true)
      local id_and_gid = string.sub(owned[i], begin + 1)
      local gid = string.sub(id_and_gid, ${WIDTH} + 1)
      local row = redis.call('HMGET', rows .. gid, 'status', 'due')
      if row[1] then left[#left + 1] = (row[1] == 'aborting' and '0' or '1') .. pad(row[2]) .. id_and_gid end
    end
  else
    unsure[#unsure + 1] = epoch
  end
end
table.sort(left)
local some = {}
for i = 1, math.min(#left, limit) do some[i] = left[i] end
return {undo, other, next_undo, next_other, some, unsure}
`,
);
