/**
 * Counts unfinished transactions, a chunk at a time; nothing is written.
 *
 * KEYS  index
 * ARGV  the entry to begin behind ("" for the first), chunk, stuck refusals, overdue before, name of the row keys without the gid;
 *       then types and their stuck attempts by turns
 * reply {count, create time of the oldest ("" for none), stuck, the entry to go on behind ("" at the end)}
 */
import { WIDTH } from "../keys.js";
import { script } from "../script.js";
import { INDEX } from "./head.js";

export const SUMMARY = script(
  "summary",
  INDEX,
  `
local chunk, refusals, before, rows = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local attempts, fewest = {}, math.huge
for i = 6, #ARGV, 2 do
  attempts[ARGV[i]] = tonumber(ARGV[i + 1])
  fewest = math.min(fewest, attempts[ARGV[i]])
end
local found = redis.call('ZRANGEBYLEX', INDEX, ARGV[1] == '' and '[l' or '(' .. ARGV[1], '(l' .. STATUS.succeed, 'LIMIT', 0, chunk)
local count, oldest, stuck = 0, nil, 0
for i = 1, #found do
  local row = redis.call('HMGET', rows .. string.sub(found[i], 4 + ${WIDTH}), 'created', 'attempts', 'refusals', 'due', 'type')
  if row[1] then
    count = count + 1
    local created = tonumber(row[1])
    if not oldest or created < oldest then oldest = created end
    local limit = attempts[row[5]] or fewest
    if tonumber(row[2] or '0') >= limit or tonumber(row[3] or '0') >= refusals or tonumber(row[4]) < before then
      stuck = stuck + 1
    end
  end
end
return {count, oldest and string.format('%d', oldest) or '', stuck, #found == chunk and found[#found] or ''}
`,
);
