/**
 * A driver's change of status, with the results of branches that it brings (R1, R6).
 *
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, owner, status, to, at, reason, due ("" leaves it); then name and text of each result by turns
 * reply {"moved"}, from prepared with the row · {"refused", the row, empty when there is none}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const MOVE = script(
  "move",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, redis.call('HGETALL', KEYS[2])} end
local old = read(KEYS[2], ARGV[4])
if not old or old.owner ~= ARGV[5] or old.status ~= ARGV[6] or final(old.status) then
  return {unchanged('refused'), redis.call('HGETALL', KEYS[2])}
end
local new, more = copy(old), {}
new.status = ARGV[7]
new.updated = ARGV[8]
if ARGV[10] ~= '' then new.due = ARGV[10] end
keep_reason(KEYS[2], ARGV[9], more)
if final(new.status) then finish(new, ARGV[8]) end
write(KEYS[2], old, new, more)
settle(KEYS[2], 11)
journal('moved')
if old.status == 'prepared' then return {'moved', redis.call('HGETALL', KEYS[2])} end
return {'moved'}
`,
);
