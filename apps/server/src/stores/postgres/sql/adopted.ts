import type { Query } from "../connection.js";
import { numberAt } from "../rows.js";
import type { Tables } from "../tables.js";

/** What dtm left of its own while it had the tables back, and we are about to drive: finished by us it would look like ours. */
const LATER = ({ adopted, global }: Tables): string => `
  UPDATE ${adopted} SET last_id = later.id FROM (
    SELECT max(id) AS id FROM ${global} WHERE status IN ('prepared', 'submitted', 'aborting') AND due_at IS NULL
  ) AS later WHERE later.id > last_id`;

/** There is one, unless somebody changed it. */
export async function adoptedIds(db: Query): Promise<number[]> {
  return (await db.rows(`SELECT last_id FROM ${db.tables.adopted}`, [])).map((row) => numberAt(row, 0));
}

/** Rows up to this id are dtm's; 0 where it has none. */
export async function adoptedUpTo(db: Query): Promise<number> {
  const [lastId = 0] = await adoptedIds(db);
  return lastId;
}

export async function adoptLater(db: Query): Promise<void> {
  await db.run(LATER(db.tables), []);
}
