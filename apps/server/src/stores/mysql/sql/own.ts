import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";
import type { Candidate } from "./claim-due.js";

const OWN = "UPDATE trans_global SET owner = ? WHERE id IN (?)";

const WEIGHTS = "SELECT gid, sum(length(bin_data)) FROM trans_branch_op WHERE gid IN (?) GROUP BY gid";

/** Payloads that one claim brings into memory at most; what is left over is due still, and the next claim's. */
const CLAIM_BYTES = 16 * 1024 * 1024;

/** Gives the locked candidates to `owner`, at least one of them, and returns the ids of those that it got. */
export async function own(db: Query, candidates: readonly Candidate[], owner: string): Promise<number[]> {
  if (candidates.length === 0) return [];
  const weights = await db.rows(WEIGHTS, [candidates.map(({ gid }) => gid)]);
  const weightOf = new Map(weights.map((row) => [textAt(row, 0), numberAt(row, 1)]));
  const owned: number[] = [];
  let bytes = 0;
  for (const { id, gid } of candidates) {
    bytes += weightOf.get(gid) ?? 0;
    if (owned.length > 0 && bytes > CLAIM_BYTES) break;
    owned.push(id);
  }
  db.later(OWN, [owner, owned]);
  return owned;
}
