/**
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; then field and value of each branch, by turns
 * reply {"registered"} · {"duplicate"} · {"not-prepared"}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL } from "./head.js";

export const REGISTER = script(
  "register",
  INDEX,
  JOURNAL,
  `
local word = known()
if word then return {word} end
local asked, seen = {'status', 'branches'}, {}
for i = 4, #ARGV, 2 do
  if string.sub(ARGV[i], 1, 2) == 'b:' then asked[#asked + 1] = ARGV[i] end
end
local row = redis.call('HMGET', KEYS[2], unpack(asked))
if row[1] ~= 'prepared' then return {unchanged('not-prepared')} end
for i = 3, #asked do
  if row[i] or seen[asked[i]] then return {unchanged('duplicate')} end
  seen[asked[i]] = true
end
local count, set = tonumber(row[2] or '0'), {}
for i = 4, #ARGV, 2 do
  local value = ARGV[i + 1]
  if string.sub(ARGV[i], 1, 2) == 'b:' then
    count = count + 1
    value = count .. ' ' .. value
  end
  set[#set + 1] = ARGV[i]
  set[#set + 1] = value
end
redis.call('HSET', KEYS[2], 'branches', tostring(count), unpack(set))
journal('registered')
return {'registered'}
`,
);
