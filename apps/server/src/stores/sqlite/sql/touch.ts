import type { Fence } from "../../store.js";
import type { Database } from "../database.js";

const SQL = "UPDATE trans_global SET update_time = ? WHERE gid = ? AND owner = ? AND status = ?";

/** False when status or owner is another by now (R1). */
export function touchGlobal(db: Database, gid: string, fence: Fence, at: number): boolean {
  return db.run(SQL, [at, gid, fence.owner, fence.status]) === 1;
}
