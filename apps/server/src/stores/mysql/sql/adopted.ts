import type { Query } from "../connection.js";
import { numberAt } from "../rows.js";

const SQL = "SELECT last_id FROM dtm_adopted";

/** What dtm left of its own while it had the tables back, and we are about to drive: finished by us it would look like ours. */
const LATER = `
  SELECT coalesce(max(id), 0) FROM trans_global
  WHERE status IN ('prepared', 'submitted', 'aborting') AND due_at IS NULL`;

const RAISE = "UPDATE dtm_adopted SET last_id = ? WHERE last_id < ?";

/** There is one, unless somebody changed it. */
export async function adoptedIds(db: Query): Promise<number[]> {
  return (await db.rows(SQL, [])).map((row) => numberAt(row, 0));
}

/** Rows up to this id are dtm's; 0 where it has none. */
export async function adoptedUpTo(db: Query): Promise<number> {
  const [lastId = 0] = await adoptedIds(db);
  return lastId;
}

export async function adoptLater(db: Query): Promise<void> {
  const [row = []] = await db.rows(LATER, []);
  const id = numberAt(row, 0);
  if (id > 0) await db.run(RAISE, [id, id]);
}
