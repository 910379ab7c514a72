/**
 * Makes rows due that were seen by waiting.ts or later.ts, where that is still right.
 *
 * KEYS  index, then the rows
 * ARGV  at, destination that they must wait for ("" for any), due time that theirs must be later than ("" for any); then their gids
 * reply how many
 */
import { script } from "../script.js";
import { INDEX, ROW } from "./head.js";

export const MAKE_DUE = script(
  "make-due",
  INDEX,
  ROW,
  `
local at, destination, after = ARGV[1], ARGV[2], tonumber(ARGV[3])
local count = 0
for i = 2, #KEYS do
  local old = read(KEYS[i], ARGV[i + 2])
  if old and not final(old.status)
    and (destination == '' or (old.owner == '' and old.waiting == destination))
    and (not after or tonumber(old.due) > after) then
    local new = copy(old)
    make_due(new, at)
    write(KEYS[i], old, new)
    count = count + 1
  end
end
return count
`,
);
