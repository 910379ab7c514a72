import type { Query } from "../connection.js";

/** `name` with its schema, quoted. */
export async function hasTable(db: Query, name: string): Promise<boolean> {
  const [row] = await db.rows("SELECT to_regclass($1) IS NOT NULL", [name]);
  return row?.[0] === true;
}
