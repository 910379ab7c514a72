import type { Query } from "../connection.js";

const SQL = "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";

export async function hasTable(db: Query, name: string): Promise<boolean> {
  return (await db.rows(SQL, [name])).length > 0;
}
