import type { Database } from "../database.js";
import { GLOBAL_COLUMNS } from "../rows.js";
import type { Row } from "../wire.js";

const SQL = `
  INSERT INTO trans_global (${GLOBAL_COLUMNS.join(", ")})
  VALUES (${GLOBAL_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (gid) DO NOTHING`;

/** False when the gid is taken; the stored one is untouched. */
export function insertGlobal(db: Database, global: Row): boolean {
  return db.run(SQL, global) === 1;
}
