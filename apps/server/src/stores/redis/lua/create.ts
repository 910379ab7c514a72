/**
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid; then the row's fields and values by turns (rowFields)
 * reply {"created"} · {"exists", the row}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const CREATE = script(
  "create",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, redis.call('HGETALL', KEYS[2])} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {unchanged('exists'), redis.call('HGETALL', KEYS[2])} end
set_many(KEYS[2], 5)
local r = given(ARGV[4], 5)
add(placed(r, {listed(r)}))
journal('created')
return {'created'}
`,
);
