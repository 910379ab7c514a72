/**
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, owner, status, at; then name and text of each result by turns
 * reply {"done"} · {"refused", the row, empty when there is none}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const RECORD = script(
  "record",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, word == 'refused' and redis.call('HGETALL', KEYS[2]) or nil} end
local old = read(KEYS[2], ARGV[4])
if not old or old.owner ~= ARGV[5] or old.status ~= ARGV[6] or final(old.status) then
  return {unchanged('refused'), redis.call('HGETALL', KEYS[2])}
end
redis.call('HSET', KEYS[2], 'updated', ARGV[7])
settle(KEYS[2], 8)
journal('done')
return {'done'}
`,
);
