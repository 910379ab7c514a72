/**
 * Hands the lease back, unless somebody nudged meanwhile (R3, R4).
 *
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, owner, status, wake, at, due, interval, attempts, refusals, destination waited for;
 *       then name and text of each result by turns
 * reply {"done"} · {"refused", the row, empty when there is none}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const REST = script(
  "rest",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, word == 'refused' and redis.call('HGETALL', KEYS[2]) or nil} end
local old = read(KEYS[2], ARGV[4])
if not old or old.owner ~= ARGV[5] or old.status ~= ARGV[6] or final(old.status) or (tonumber(old.wake) or 0) ~= tonumber(ARGV[7]) then
  return {unchanged('refused'), redis.call('HGETALL', KEYS[2])}
end
local new = copy(old)
new.owner = ''
new.updated = ARGV[8]
new.due = ARGV[9]
new.waiting = ARGV[13]
write(KEYS[2], old, new, {'interval', ARGV[10], 'attempts', ARGV[11], 'refusals', ARGV[12]})
settle(KEYS[2], 14)
journal('done')
return {'done'}
`,
);
