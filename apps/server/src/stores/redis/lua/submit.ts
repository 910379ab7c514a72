/**
 * Creates it as submitted, or moves the prepared one: what the submit says wins over what was prepared, what it leaves out stays (R8).
 *
 * KEYS  index, row, journal
 * ARGV  batch, place, keep; gid, owner that may be leased, options, custom, submitted, updated, interval, due;
 *       then the row's fields and values by turns, for a new one; without them none is made
 * reply {"created"} · {"absent"} · {"moved" or "leased", the row} · {"exists", the row}
 */
import { script } from "../script.js";
import { INDEX, JOURNAL, ROW } from "./head.js";

export const SUBMIT = script(
  "submit",
  INDEX,
  ROW,
  JOURNAL,
  `
local word = known()
if word then return {word, redis.call('HGETALL', KEYS[2])} end
local old = read(KEYS[2], ARGV[4])
if not old then
  if #ARGV < 12 then return {unchanged('absent')} end
  set_many(KEYS[2], 12)
  local r = given(ARGV[4], 12)
  add(placed(r, {listed(r)}))
  journal('created')
  return {'created'}
end
if old.status ~= 'prepared' then return {unchanged('exists'), redis.call('HGETALL', KEYS[2])} end

local FLAGS_AND_NUMBERS, NONE = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$', '0 0 0 0 0 0 {}'
local function merged(before, said)
  if said == '' then return before end
  if before == '' then return said end
  local b = {string.match(before, FLAGS_AND_NUMBERS)}
  local s = {string.match(said, FLAGS_AND_NUMBERS)}
  local out = {}
  for i = 1, 6 do out[i] = s[i] ~= '0' and s[i] or b[i] end
  if s[7] == '{}' then out[7] = b[7]
  elseif b[7] == '{}' then out[7] = s[7]
  else
    local headers = cjson.decode(b[7])
    for name, value in pairs(cjson.decode(s[7])) do headers[name] = value end
    out[7] = cjson.encode(headers)
  end
  local text = table.concat(out, ' ')
  return text == NONE and '' or text
end

local more = {'submitted', ARGV[8], 'interval', ARGV[10], 'attempts', '0'}
local before = redis.call('HGET', KEYS[2], 'options') or ''
more[#more + 1] = 'options'
more[#more + 1] = merged(before, ARGV[6])
if ARGV[7] ~= '' then
  more[#more + 1] = 'custom'
  more[#more + 1] = ARGV[7]
end
local new = copy(old)
new.status = 'submitted'
new.updated = ARGV[9]
new.due = ARGV[11]
new.waiting = ''
lease(new, ARGV[5])
write(KEYS[2], old, new, more)
word = (ARGV[5] ~= '' and new.owner == ARGV[5]) and 'leased' or 'moved'
journal(word)
return {word, redis.call('HGETALL', KEYS[2])}
`,
);
