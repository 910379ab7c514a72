/**
 * A caller's change, conditional on status alone (R5).
 *
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, statuses that it may have, each with a comma behind it, to, at, reason, "1" when there is a result,
 *       result, owner that may be leased
 * reply {"changed" or "leased", the row} · {"refused", the row, empty when there is none}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const CHANGE = script(
  "change",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, redis.call('HGETALL', KEYS[2])} end
local old = read(KEYS[2], ARGV[4])
if not old or not string.find(ARGV[5], old.status .. ',', 1, true) then return {unchanged('refused'), redis.call('HGETALL', KEYS[2])} end
local at, owner = ARGV[7], ARGV[11]
local new, more = copy(old), {}
new.status = ARGV[6]
new.updated = at
new.due = at
new.waiting = ''
keep_reason(KEYS[2], ARGV[8], more)
if ARGV[9] == '1' then
  more[#more + 1] = 'result'
  more[#more + 1] = ARGV[10]
end
if final(new.status) then finish(new, at) else lease(new, owner) end
write(KEYS[2], old, new, more)
word = (owner ~= '' and new.owner == owner) and 'leased' or 'changed'
journal(word)
return {word, redis.call('HGETALL', KEYS[2])}
`,
);
