/** The shared part's requests as statements of MySQL, on the connection of one lane. */
import type { Loaded } from "../../engine/transaction.js";
import { RowVanished } from "../relational/batch.js";
import type { Statements } from "../relational/statements.js";
import type { Connection } from "./connection.js";
import { branchKeys } from "./sql/branch-keys.js";
import { dueGlobals, nextDue } from "./sql/claim-due.js";
import { drive } from "./sql/drive.js";
import { insertBranches } from "./sql/insert-branches.js";
import { insertGlobals } from "./sql/insert-globals.js";
import { createKey, deleteKey, updateKey } from "./sql/keys.js";
import { loadByGid, loadById } from "./sql/load.js";
import { lockGlobals } from "./sql/lock-globals.js";
import { bury, liveEpochs } from "./sql/nodes.js";
import { own } from "./sql/own.js";
import { quick } from "./sql/quick.js";
import { replaceGlobals } from "./sql/replace-globals.js";
import { resetDue } from "./sql/reset-due.js";
import { settle } from "./sql/settle.js";
import { sweep } from "./sql/sweep.js";
import { waitingGlobals, wakeWaiting } from "./sql/waiting.js";
export function statementsOn(db: Connection): Statements {
  const claimed = async (candidates: Parameters<typeof own>[1], owner: string): Promise<Loaded[]> => {
    const ids = await own(db, candidates, owner);
    if (ids.length === 0) return [];
    const loaded = await loadById(db, ids);
    // Nobody would drive what is owned and not told.
    if (loaded.length !== ids.length) throw new RowVanished(`${ids.length} were claimed, ${loaded.length} of them found`);
    return loaded;
  };
  return {
    quick: (work) => quick(db, work),
    insertGlobals: (rows) => insertGlobals(db, rows),
    insertBranches: (rows) => insertBranches(db, rows),
    lockGlobals: (gids) => lockGlobals(db, gids),
    branchKeys: (gids) => branchKeys(db, gids),
    replaceGlobals: (rows) => replaceGlobals(db, rows),
    drive: (changes) => drive(db, changes),
    settle: (results) => settle(db, results),
    load: (gids) => loadByGid(db, gids),
    async liveEpochs(epochs) {
      await bury(db);
      return liveEpochs(db, epochs);
    },
    async claimDue(claim) {
      const candidates = await dueGlobals(db, claim);
      const loaded = await claimed(candidates.slice(0, claim.limit), claim.owner);
      const left = candidates.slice(loaded.length).map(({ due }) => due);
      const next = await nextDue(db);
      return { claimed: loaded, nextDue: [...left, ...(next === null ? [] : [next])].reduce(least, null) };
    },
    nextDue: () => nextDue(db),
    async claimWaiting(destination, claim) {
      return claimed(await waitingGlobals(db, destination, claim.limit), claim.owner);
    },
    wakeWaiting: (destination, limit, at) => wakeWaiting(db, destination, limit, at),
    resetDue: (after, at, limit) => resetDue(db, after, at, limit),
    sweep: (ask) => sweep(db, ask),
    createKey: (entry) => createKey(db, entry),
    updateKey: (entry) => updateKey(db, entry),
    deleteKey: (cat, key) => deleteKey(db, cat, key),
  };
}

function least(a: number | null, b: number): number {
  return a === null ? b : Math.min(a, b);
}
