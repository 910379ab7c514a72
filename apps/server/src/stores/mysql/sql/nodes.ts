import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/** All on the database's clock (R2). An epoch that was marked dead stays dead: its expiry is never raised again. */
const BEAT = `
  INSERT INTO dtm_node (epoch, expires_at) VALUES (?, utc_timestamp(3) + INTERVAL ? MICROSECOND)
  ON DUPLICATE KEY UPDATE expires_at = if(dead_at IS NULL, VALUES(expires_at), expires_at)`;

const LIVES = "SELECT dead_at IS NULL FROM dtm_node WHERE epoch = ?";

const RETIRE = `
  INSERT INTO dtm_node (epoch, expires_at, dead_at) VALUES (?, utc_timestamp(3), utc_timestamp(3))
  ON DUPLICATE KEY UPDATE dead_at = coalesce(dead_at, VALUES(dead_at))`;

const EXPIRED = "SELECT epoch FROM dtm_node WHERE dead_at IS NULL AND expires_at <= utc_timestamp(3)";

const BURY = `
  UPDATE dtm_node SET dead_at = utc_timestamp(3)
  WHERE epoch IN (?) AND dead_at IS NULL AND expires_at <= utc_timestamp(3)`;

const LIVE = "SELECT epoch FROM dtm_node WHERE dead_at IS NULL AND epoch IN (?)";

const ALL_LIVE = "SELECT epoch FROM dtm_node WHERE dead_at IS NULL";

const DEAD = "SELECT epoch FROM dtm_node WHERE dead_at > utc_timestamp(3) - INTERVAL 1 DAY";
const LONG_DEAD = "SELECT epoch FROM dtm_node WHERE dead_at <= utc_timestamp(3) - INTERVAL 1 DAY";

const COUNT_LIVE = "SELECT count(*) FROM dtm_node WHERE dead_at IS NULL AND expires_at > utc_timestamp(3)";

/** Long after the last process that could hold such an epoch. */
const FORGET = "DELETE FROM dtm_node WHERE dead_at < utc_timestamp(3) - INTERVAL 30 DAY";

/** False when it was declared dead. */
export async function beat(db: Query, epoch: string, leaseMs: number): Promise<boolean> {
  await db.run(BEAT, [epoch, leaseMs * 1000]);
  const [row = []] = await db.rows(LIVES, [epoch]);
  return numberAt(row, 0) === 1;
}

export async function retire(db: Query, epoch: string): Promise<void> {
  await db.run(RETIRE, [epoch]);
}

/** A dead epoch is marked dead in the transaction that takes its rows, or before. Without an expired one nothing is locked. */
export async function bury(db: Query): Promise<void> {
  const expired = (await db.rows(EXPIRED, [])).map((row) => textAt(row, 0));
  if (expired.length > 0) await db.run(BURY, [expired.sort()]);
}

export async function liveEpochs(db: Query, epochs: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await db.rows(LIVE, [epochs])).map((row) => textAt(row, 0)));
}

/** Not declared dead, though a lease may have lapsed. */
export async function allLiveEpochs(db: Query): Promise<string[]> {
  return (await db.rows(ALL_LIVE, [])).map((row) => textAt(row, 0));
}

/** A node is looked for a day long; what it could leave after that, `adopt` finds. */
export async function deadEpochs(db: Query, which: "lately" | "long ago"): Promise<string[]> {
  return (await db.rows(which === "lately" ? DEAD : LONG_DEAD, [])).map((row) => textAt(row, 0));
}

export async function countLiveNodes(db: Query): Promise<number> {
  const [row = []] = await db.rows(COUNT_LIVE, []);
  return numberAt(row, 0);
}

export async function forgetNodes(db: Query): Promise<void> {
  await db.run(FORGET, []);
}
