/** What needs no lane, through the pool; the heartbeat through a connection of its own. */
import type pg from "pg";
import { endsConnection } from "../relational/database.js";
import { answerLimit, Pulse } from "../relational/pulse.js";
import { paged, positionOf, repeated, unanswered } from "../relational/reading.js";
import type { Reads } from "../relational/store.js";
import { Connection, cut, leave, type Query } from "./connection.js";
import { troubleOf } from "./errors.js";
import type { Pool } from "./pool.js";
import { findKeys, keysBefore } from "./sql/keys.js";
import { listGlobals } from "./sql/list.js";
import { loadByGid, loadByOwner } from "./sql/load.js";
import { allLiveEpochs, beat, retire } from "./sql/nodes.js";
import { oldestOwn } from "./sql/oldest-own.js";
import { summary } from "./sql/summary.js";
import { waitingDestinations } from "./sql/waiting.js";

export function readsThrough(pool: Pool): Reads {
  const known = new WeakMap<pg.PoolClient, Connection>();
  const connectionOf = (client: pg.PoolClient): Connection => {
    const connection = known.get(client) ?? new Connection(client, pool.tables);
    known.set(client, connection);
    return connection;
  };
  const once = async <T>(work: (db: Query) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    const connection = connectionOf(client);
    try {
      return await work(connection);
    } catch (cause) {
      if (endsConnection(troubleOf(cause, connection.broken))) connection.broken = true;
      throw cause;
    } finally {
      client.release(connection.broken);
    }
  };
  const read = <T>(work: (db: Query) => Promise<T>): Promise<T> =>
    repeated(
      () => once(work),
      (cause) => troubleOf(cause, false),
      pool.patienceMs,
    );
  const pulse = pulseThrough(pool);
  return {
    async ping() {
      await once((db) => db.rows("SELECT 1", [])).catch((cause: unknown) => {
        throw unanswered(cause);
      });
    },
    heartbeat: (epoch, leaseMs) => pulse.ask((db) => beat(db, epoch, leaseMs), answerLimit(leaseMs)),
    retire: (epoch) => pulse.ask((db) => retire(db, epoch), pool.patienceMs),
    liveEpochs: () => read((db) => allLiveEpochs(db)),
    find: async (gid) => (await read((db) => loadByGid(db, [gid]))).get(gid) ?? null,
    ownedBy: (owner) => read((db) => loadByOwner(db, owner)),
    waitingDestinations: (atLeast) => read((db) => waitingDestinations(db, atLeast)),
    async list(filter) {
      const before = positionOf(filter.position ?? "");
      if (before === undefined) return { transactions: [], nextPosition: "" };
      const rows = await read((db) => listGlobals(db, filter, before, filter.limit + 1));
      const { page, nextPosition } = paged(rows, filter.limit);
      return { transactions: page, nextPosition };
    },
    oldestOwn: () => read((db) => oldestOwn(db)),
    summary: (ask) => read((db) => summary(db, ask)),
    findKeys: (filter) => read((db) => findKeys(db, filter)),
    async scanKeys({ cat, position, limit }) {
      const before = positionOf(position);
      if (before === undefined) return { entries: [], nextPosition: "" };
      const { page, nextPosition } = paged(await read((db) => keysBefore(db, cat, before, limit + 1)), limit);
      return { entries: page, nextPosition };
    },
    async close() {
      await pulse.close();
      await pool.end();
    },
  };
}

function pulseThrough(pool: Pool): Pulse<Query> {
  return new Pulse<Query>({
    async connect() {
      const client = await pool.dedicated();
      return { db: new Connection(client, pool.tables), cut: () => cut(client), close: () => leave(client) };
    },
    troubleOf: (cause) => troubleOf(cause, false),
  });
}
