/**
 * dtm's kv table as one hash: few entries, changed by people. A field is `<category>NUL<key>`, its value
 * `<id> <version> <created> <updated> <text>`; the field "" counts the ids.
 *
 * KEYS  the hash, journal
 * ARGV  batch, place, keep; then as each says
 */
import { script } from "../script.js";
import { JOURNAL } from "./head.js";

/** ARGV  field, at, text · reply {"created"} · {"exists"} */
export const CREATE_KEY = script(
  "create-key",
  JOURNAL,
  `
local word = known()
if word then return {word} end
if redis.call('HEXISTS', KEYS[1], ARGV[4]) == 1 then return {unchanged('exists')} end
local id = redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('HSET', KEYS[1], ARGV[4], table.concat({id, 1, ARGV[5], ARGV[5], ARGV[6]}, ' '))
journal('created')
return {'created'}
`,
);

/** ARGV  field, at, text, version · reply {"updated"} · {"other"} */
export const UPDATE_KEY = script(
  "update-key",
  JOURNAL,
  `
local word = known()
if word then return {word} end
local id, version, created = string.match(redis.call('HGET', KEYS[1], ARGV[4]) or '', '^(%S+) (%S+) (%S+) ')
if not id or version ~= ARGV[7] then return {unchanged('other')} end
redis.call('HSET', KEYS[1], ARGV[4], table.concat({id, tonumber(version) + 1, created, ARGV[5], ARGV[6]}, ' '))
journal('updated')
return {'updated'}
`,
);

/** ARGV  field · reply {"deleted"} · {"unknown"} */
export const DELETE_KEY = script(
  "delete-key",
  JOURNAL,
  `
local word = known()
if word then return {word} end
if redis.call('HDEL', KEYS[1], ARGV[4]) == 0 then return {unchanged('unknown')} end
journal('deleted')
return {'deleted'}
`,
);
