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
local row = redis.call('HMGET', KEYS[2], 'status', 'branches')
if row[1] ~= 'prepared' then return {'not-prepared'} end
local seen = {}
for i = 4, #ARGV, 2 do
  local field = ARGV[i]
  if string.sub(field, 1, 2) == 'b:' then
    if seen[field] or redis.call('HEXISTS', KEYS[2], field) == 1 then return {'duplicate'} end
    seen[field] = true
  end
end
local count = tonumber(row[2] or '0')
for i = 4, #ARGV, 2 do
  local value = ARGV[i + 1]
  if string.sub(ARGV[i], 1, 2) == 'b:' then
    count = count + 1
    value = count .. ' ' .. value
  end
  redis.call('HSET', KEYS[2], ARGV[i], value)
end
redis.call('HSET', KEYS[2], 'branches', tostring(count))
journal('registered')
return {'registered'}
`,
);
