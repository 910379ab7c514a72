/**
 * What the scripts share. Every script gets the shard's index as KEYS[1] and names each key that it writes in KEYS, so that a Cluster which
 * moves the slot answers TRYAGAIN instead of showing half of it. Nothing is written before everything is decided: Redis rolls nothing back.
 */
import { STATUS_LETTERS, TYPE_LETTERS, WIDTH } from "../keys.js";

function table(letters: Readonly<Record<string, string>>): string {
  return `{${Object.entries(letters)
    .map(([word, letter]) => `${word}='${letter}'`)
    .join(",")}}`;
}

/** Index entries of a row (keys.ts says what they look like). */
export const INDEX = String.raw`
local STATUS, TYPE = ${table(STATUS_LETTERS)}, ${table(TYPE_LETTERS)}
local INDEX = KEYS[1]
local function pad(n) return string.format('%0${WIDTH}d', math.max(0, tonumber(n) or 0)) end
local function final(status) return status == 'succeed' or status == 'failed' end
local function epoch_of(owner)
  local epoch, claim = string.match(owner, '^(.*):([^:]*)$')
  return epoch or owner, claim or ''
end
local function dead(owner) return redis.call('ZSCORE', INDEX, 'x' .. epoch_of(owner)) ~= false end
local function tail(r) return (r.status == 'aborting' and '0' or '1') .. pad(r.due) .. r.id .. r.gid end
local function listed(r) return 'l' .. STATUS[r.status] .. TYPE[r.type] .. r.id .. r.gid end
local function placed(r, entries)
  if final(r.status) then
    local ended = pad(r.finished ~= '' and r.finished or r.undone ~= '' and r.undone or r.updated)
    -- What ended elsewhere was written here after its end, and is kept as long from then.
    if pad(r.updated) > ended then ended = pad(r.updated) end
    entries[#entries + 1] = 'e' .. ended .. r.id .. r.gid
  elseif r.owner ~= '' then
    local epoch, claim = epoch_of(r.owner)
    entries[#entries + 1] = 'o' .. epoch .. '\0' .. claim .. '\0' .. r.id .. r.gid
  else
    local t = tail(r)
    entries[#entries + 1] = 'd' .. t
    if r.waiting ~= '' then entries[#entries + 1] = 'w' .. r.waiting .. '\0' .. t end
  end
  return entries
end
local function add(entries)
  local args = {}
  for i = 1, #entries do
    args[#args + 1] = 0
    args[#args + 1] = entries[i]
  end
  redis.call('ZADD', INDEX, unpack(args))
end
`;

/** Reading and changing one row: `read`, then set what changes in its `copy`, then `write` once. */
export const ROW = String.raw`
local FIELDS = {'id', 'type', 'status', 'owner', 'due', 'waiting', 'wake', 'updated', 'finished', 'undone'}
local function read(key, gid)
  local v = redis.call('HMGET', key, unpack(FIELDS))
  if not v[1] then return nil end
  local r = {gid = gid}
  for i = 1, #FIELDS do r[FIELDS[i]] = v[i] or '' end
  return r
end
-- A new row, from the arguments that are written of it.
local function given(gid, from)
  local r = {gid = gid, owner = '', waiting = '', finished = '', undone = ''}
  for i = from, #ARGV, 2 do r[ARGV[i]] = ARGV[i + 1] end
  return r
end
-- Holds what is set in it; the rest shows through.
local function copy(r) return setmetatable({}, {__index = r}) end
-- Rewrites what changed between a row and its copy, in the hash and in the index; more: further fields and values by turns.
local function write(key, old, new, more)
  local set = more or {}
  for f, v in pairs(new) do
    if old[f] ~= v then
      set[#set + 1] = f
      set[#set + 1] = v
    end
  end
  local before, after = placed(old, {}), placed(new, {})
  if old.status ~= new.status then
    before[#before + 1] = listed(old)
    after[#after + 1] = listed(new)
  end
  if table.concat(before, '\1') ~= table.concat(after, '\1') then
    redis.call('ZREM', INDEX, unpack(before))
    add(after)
  end
  if #set > 0 then redis.call('HSET', key, unpack(set)) end
end
local function finish(r, at)
  if r.status == 'succeed' then r.finished = at else r.undone = at end
  r.owner = ''
  r.waiting = ''
end
-- A caller's change takes the lease only where no live owner has it; otherwise the owner is told by wake (R5).
local function lease(r, owner)
  if r.owner ~= '' and not dead(r.owner) then
    r.wake = tostring((tonumber(r.wake) or 0) + 1)
    return
  end
  r.owner = (owner ~= '' and not dead(owner)) and owner or ''
end
local function make_due(r, at)
  r.due = at
  r.updated = at
  r.wake = tostring((tonumber(r.wake) or 0) + 1)
  r.waiting = ''
end
local function keep_reason(key, reason, more)
  if reason ~= '' and (redis.call('HGET', key, 'reason') or '') == '' then
    more[#more + 1] = 'reason'
    more[#more + 1] = reason
  end
end
-- The first answer of a branch stands. Arguments from the given place: name and text by turns.
local function settle(key, from)
  for first = from, #ARGV, 1000 do
    local last = math.min(first + 998, #ARGV - 1)
    local asked, set = {}, {}
    for i = first, last, 2 do
      asked[#asked + 1] = 'b:' .. ARGV[i]
      asked[#asked + 1] = 's:' .. ARGV[i]
    end
    local found = redis.call('HMGET', key, unpack(asked))
    for i = first, last, 2 do
      local at = i - first + 1
      if found[at] and not found[at + 1] and not set[asked[at]] then
        set[asked[at]] = true
        set[#set + 1] = asked[at + 1]
        set[#set + 1] = ARGV[i + 1]
      end
    end
    if #set > 0 then redis.call('HSET', key, unpack(set)) end
  end
end
local function set_many(key, from)
  for i = from, #ARGV, 1000 do redis.call('HSET', key, unpack(ARGV, i, math.min(i + 999, #ARGV))) end
end
`;

/** A journal that nobody writes to any more goes away. */
export const JOURNAL_KEPT_MS = 86_400_000;

/**
 * The journal: what became of the operations of a lane's batch, by its place in the batch. The last key is the lane's journal in this
 * shard, the first arguments are batch, place and words: "keep", the journal is kept so long from now on; "wait", the answer waits for
 * replicas. An operation sent again after its reply was lost finds what it did, and does nothing twice (R7); a batch that was given up can't
 * land behind a newer one.
 */
export const JOURNAL = `
local KEPT = '${JOURNAL_KEPT_MS}'
local JOURNAL, BATCH, PLACE = KEYS[#KEYS], ARGV[1], ARGV[2]
local KEEP, WAIT = string.find(ARGV[3], 'keep', 1, true), string.find(ARGV[3], 'wait', 1, true)
local function journal(word)
  local new = redis.call('HSET', JOURNAL, PLACE, BATCH .. ' ' .. word) == 1
  -- The operation that was to prolong it may have changed nothing, and then there was no journal yet.
  if KEEP or (new and redis.call('HLEN', JOURNAL) == 1) then redis.call('PEXPIRE', JOURNAL, KEPT) end
end
-- What is answered without a change was written by others: only a write of our own makes the WAIT that follows concern it.
local function unchanged(word)
  if WAIT then journal(word) end
  return word
end
local function known()
  local entry = redis.call('HGET', JOURNAL, PLACE)
  if not entry then return nil end
  local batch, word = string.match(entry, '^(%d+) (.*)$')
  if batch == BATCH then
    -- Written once more, so that a WAIT that follows concerns it.
    journal(word)
    return word
  end
  if tonumber(batch) > tonumber(BATCH) then return 'stale' end
  return nil
end
`;

/** Where the arguments of an operation begin, behind the journal's. */
export const FIRST = 4;
