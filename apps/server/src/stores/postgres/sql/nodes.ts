import { texts } from "../arrays.js";
import type { Query } from "../connection.js";
import { numberAt, textAt } from "../rows.js";

/** All on the database's clock (R2). An epoch that was marked dead stays dead: its row is never updated again. */
const BEAT = (node: string): string => `
  INSERT INTO ${node} AS n (epoch, expires_at) VALUES ($1, clock_timestamp() + $2::float8 * interval '1 millisecond')
  ON CONFLICT (epoch) DO UPDATE SET expires_at = excluded.expires_at WHERE n.dead_at IS NULL`;

const RETIRE = (node: string): string => `
  INSERT INTO ${node} AS n (epoch, expires_at, dead_at) VALUES ($1, clock_timestamp(), clock_timestamp())
  ON CONFLICT (epoch) DO UPDATE SET dead_at = excluded.dead_at WHERE n.dead_at IS NULL`;

const BURY = (node: string): string => `
  UPDATE ${node} SET dead_at = clock_timestamp() WHERE dead_at IS NULL AND expires_at <= clock_timestamp()`;

const LIVE = (node: string): string => `SELECT epoch FROM ${node} WHERE dead_at IS NULL AND epoch = ANY ($1::text[])`;

const ALL_LIVE = (node: string): string => `SELECT epoch FROM ${node} WHERE dead_at IS NULL`;

const COUNT_LIVE = (node: string): string => `
  SELECT count(*) FROM ${node} WHERE dead_at IS NULL AND expires_at > clock_timestamp()`;

/** Long after the last process that could hold such an epoch. */
const FORGET = (node: string): string => `DELETE FROM ${node} WHERE dead_at < clock_timestamp() - interval '30 days'`;

/** False when it was declared dead. */
export async function beat(db: Query, epoch: string, leaseMs: number): Promise<boolean> {
  return (await db.run(BEAT(db.tables.node), [epoch, leaseMs])) === 1;
}

export async function retire(db: Query, epoch: string): Promise<void> {
  await db.run(RETIRE(db.tables.node), [epoch]);
}

/** A dead epoch is marked dead in the transaction that takes its rows, or before. */
export async function bury(db: Query): Promise<void> {
  await db.run(BURY(db.tables.node), []);
}

export async function liveEpochs(db: Query, epochs: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.rows(LIVE(db.tables.node), [texts(epochs)]);
  return new Set(rows.map((row) => textAt(row, 0)));
}

/** Not declared dead, though a lease may have lapsed. */
export async function allLiveEpochs(db: Query): Promise<string[]> {
  return (await db.rows(ALL_LIVE(db.tables.node), [])).map((row) => textAt(row, 0));
}

export async function countLiveNodes(db: Query): Promise<number> {
  const [row = []] = await db.rows(COUNT_LIVE(db.tables.node), []);
  return numberAt(row, 0);
}

export async function forgetNodes(db: Query): Promise<void> {
  await db.run(FORGET(db.tables.node), []);
}
