import type { Database } from "../database.js";
import type { Candidate } from "./claim-due.js";

const OWN = "UPDATE trans_global SET owner = ? WHERE id = ?";
const WEIGHT = "SELECT coalesce(sum(length(bin_data)), 0) FROM trans_branch_op WHERE gid = ?";

/** Payloads that one claim brings into memory at most; what is left over is due still, and the next claim's. */
const CLAIM_BYTES = 16 * 1024 * 1024;

/** Gives the candidates to `owner`, at least one of them, and returns the ids of those that it got. */
export function own(db: Database, candidates: readonly Candidate[], owner: string): number[] {
  const owned: number[] = [];
  let bytes = 0;
  for (const { id, gid } of candidates) {
    bytes += Number(db.get(WEIGHT, [gid])?.[0] ?? 0);
    if (owned.length > 0 && bytes > CLAIM_BYTES) break;
    db.run(OWN, [owner, id]);
    owned.push(id);
  }
  return owned;
}
