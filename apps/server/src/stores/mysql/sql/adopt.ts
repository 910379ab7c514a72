import type { Query } from "../connection.js";
import { numberAt } from "../rows.js";
import { adoptLater } from "./adopted.js";
import { leftBy } from "./claim-due.js";
import { deadEpochs } from "./nodes.js";

/**
 * dtm leaves its owner on a row that rests; nothing of dtm runs beside us, so such a row is nobody's, and keeps its time (R28). Looked for
 * without locks: an update would lock every owned row that it passes, against nodes at work.
 */
const OF_DTM = `
  SELECT id FROM trans_global
  WHERE owner > '' AND locate(':', owner) = 0 AND status IN ('prepared', 'submitted', 'aborting') LIMIT ?`;

const RELEASE_OF_DTM = "UPDATE trans_global SET owner = '' WHERE id IN (?) AND locate(':', owner) = 0";

/** From those that were found there: a node at work may have claimed the row meanwhile (R3). */
const RELEASE = "UPDATE trans_global SET owner = '' WHERE id IN (?) AND BINARY owner IN (?)";

const CHUNK = 1_000;

export async function adopt(db: Query): Promise<void> {
  await adoptLater(db);
  const ofDtm = async (): Promise<number[]> => (await db.rows(OF_DTM, [CHUNK])).map((row) => numberAt(row, 0));
  for (let found = await ofDtm(); found.length > 0; found = await ofDtm()) await db.run(RELEASE_OF_DTM, [found]);
  // What somebody long dead wrote after its rows were looked for.
  const gone = await deadEpochs(db, "long ago");
  for (let found = await leftBy(db, gone, CHUNK); found.length > 0; found = await leftBy(db, gone, CHUNK)) {
    await db.run(RELEASE, [found.map(({ id }) => id), [...new Set(found.map(({ owner }) => owner))]]);
  }
}
