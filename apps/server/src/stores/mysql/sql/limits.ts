import type { Query } from "../connection.js";
import { numberAt } from "../rows.js";

const PACKET = "SELECT @@max_allowed_packet";

const PAYLOAD = `
  SELECT character_maximum_length FROM information_schema.columns
  WHERE table_schema = database() AND table_name = 'trans_branch_op' AND column_name = 'bin_data'`;

/** What one request to the server may have; a larger one ends the connection. */
export async function packetBytes(db: Query): Promise<number> {
  const [row = []] = await db.rows(PACKET, []);
  return numberAt(row, 0);
}

/** What a payload may have: the column that dtm made takes less than ours. */
export async function payloadBytes(db: Query): Promise<number> {
  const [row = []] = await db.rows(PAYLOAD, []);
  return numberAt(row, 0);
}
