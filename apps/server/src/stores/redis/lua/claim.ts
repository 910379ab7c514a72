/**
 * Takes the lease of rows that were seen by peek.ts or waiting.ts, as far as that is still right (R1, R2). Claims have no journal: the owner
 * is fresh for every claim, so what a claim sent again finds in its own hands is what it took the first time (R7). One that waits may have been
 * driven in between and wait again; a copy of the claim that lands so late would give it to nobody, so its place in the order counts too.
 *
 * KEYS  index, then the rows
 * ARGV  owner, now, destination that they must wait for ("" for what is due or left behind); then their gids, then the order of each as it was seen
 * reply one per row: HGETALL, or {} where it isn't ours
 */
import { script } from "../script.js";
import { INDEX, ROW } from "./head.js";

export const CLAIM = script(
  "claim",
  INDEX,
  ROW,
  `
local owner, now, destination = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local refused = dead(owner)
local out, count = {}, #KEYS - 1
for i = 2, #KEYS do
  local key, gid, order = KEYS[i], ARGV[i + 2], ARGV[i + 2 + count]
  local r = read(key, gid)
  local mine = false
  if r and not final(r.status) then
    if r.owner == owner then mine = true
    elseif refused then mine = false
    elseif destination ~= '' then mine = r.owner == '' and r.waiting == destination and tail(r) == order .. gid
    elseif r.owner == '' then mine = tonumber(r.due) <= now
    else mine = dead(r.owner) end
  end
  if mine and r.owner ~= owner then
    local new = copy(r)
    new.owner = owner
    write(key, r, new)
  end
  out[#out + 1] = mine and redis.call('HGETALL', key) or {}
end
return out
`,
);
