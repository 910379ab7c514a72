import type { GidResult } from "../../relational/statements.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/** Only where it is still prepared: the first answer stands. The globals' locks keep everybody else away. */
const OPEN = "SELECT id, gid, branch_id, op FROM trans_branch_op WHERE gid IN (?) AND status = 'prepared'";

const SUCCEEDED = "UPDATE trans_branch_op SET status = 'succeed', update_time = ?, finish_time = ? WHERE id IN (?)";
const FAILED = "UPDATE trans_branch_op SET status = 'failed', update_time = ?, rollback_time = ? WHERE id IN (?)";

/** What settled in the same second the same way is one statement. */
export async function settle(db: Query, results: readonly GidResult[]): Promise<void> {
  const open = await db.rows(OPEN, [[...new Set(results.map(({ gid }) => gid))]]);
  const ids = new Map(open.map((row) => [`${textAt(row, 1)}\n${textAt(row, 2)}\n${textAt(row, 3)}`, numberAt(row, 0)]));
  const groups = new Map<string, { readonly status: GidResult["status"]; readonly at: string; readonly ids: number[] }>();
  for (const { gid, branchId, op, status, at } of results) {
    const id = ids.get(`${gid}\n${branchId}\n${op}`);
    if (id === undefined) continue;
    const second = db.zone.toText(at);
    const group = groups.get(`${status} ${second}`) ?? { status, at: second, ids: [] };
    group.ids.push(id);
    groups.set(`${status} ${second}`, group);
  }
  for (const group of groups.values()) {
    db.later(group.status === "succeed" ? SUCCEEDED : FAILED, [group.at, group.at, group.ids.sort((a, b) => a - b)]);
  }
}
