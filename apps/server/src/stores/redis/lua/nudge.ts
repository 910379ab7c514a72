/**
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, at
 * reply {"nudged"} · {"unknown"}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const NUDGE = script(
  "nudge",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word} end
local old = read(KEYS[2], ARGV[4])
if not old then return {unchanged('unknown')} end
local new = copy(old)
if final(old.status) then
  new.due = ARGV[5]
  new.updated = ARGV[5]
else
  make_due(new, ARGV[5])
end
write(KEYS[2], old, new)
journal('nudged')
return {'nudged'}
`,
);
