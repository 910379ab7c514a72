import { numbers, texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";
import type { Candidate } from "./claim-due.js";

const OWN = (global: string): string => `UPDATE ${global} SET owner = $1 WHERE id = ANY ($2::bigint[])`;

const WEIGHTS = (branch: string): string => `
  SELECT gid, sum(octet_length(bin_data)) ::bigint FROM ${branch} WHERE gid = ANY ($1::text[]) GROUP BY gid`;

/** Payloads that one claim brings into memory at most; what is left over is due still, and the next claim's. */
const CLAIM_BYTES = 16 * 1024 * 1024;

/** Gives the locked candidates to `owner`, at least one of them, and returns the ids of those that it got. */
export async function own(db: Query, candidates: readonly Candidate[], owner: string): Promise<number[]> {
  if (candidates.length === 0) return [];
  const weights = await db.rows(WEIGHTS(db.tables.branch), [texts(candidates.map(({ gid }) => gid))]);
  const weightOf = new Map(weights.map((row) => [textAt(row, 0), numberAt(row, 1)]));
  const owned: number[] = [];
  let bytes = 0;
  for (const { id, gid } of candidates) {
    bytes += weightOf.get(gid) ?? 0;
    if (owned.length > 0 && bytes > CLAIM_BYTES) break;
    owned.push(id);
  }
  db.later(OWN(db.tables.global), [owner, numbers(owned)]);
  return owned;
}
