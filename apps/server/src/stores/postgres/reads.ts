/** What goes through the pool: repeated on another connection when one is lost, since nothing here harms when it is done twice. */

import type pg from "pg";
import { messageOf } from "../relational/database.js";
import { PATIENCE_MS, pause } from "../relational/line.js";
import type { Reads } from "../relational/store.js";
import { StoreRejected, StoreUnavailable } from "../store.js";
import { Connection, type Query } from "./connection.js";
import { troubleOf } from "./errors.js";
import type { Pool } from "./pool.js";
import { findKeys, keysBefore } from "./sql/keys.js";
import { listGlobals } from "./sql/list.js";
import { loadByGid, loadByOwner } from "./sql/load.js";
import { beat, retire } from "./sql/nodes.js";
import { summary } from "./sql/summary.js";
import { waitingDestinations } from "./sql/waiting.js";

const PAUSE_MS = 50;

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
      if (troubleOf(cause, connection.broken) === "lost") connection.broken = true;
      throw cause;
    } finally {
      client.release(connection.broken);
    }
  };
  const read = async <T>(work: (db: Query) => Promise<T>): Promise<T> => {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await once(work);
      } catch (cause) {
        const trouble = troubleOf(cause, false);
        if (trouble === "data") throw new StoreRejected(messageOf(cause), { cause });
        if (trouble === "down" || performance.now() + PAUSE_MS > deadline) throw unavailable(cause);
        await pause(PAUSE_MS);
      }
    }
  };
  return {
    async ping() {
      await once((db) => db.rows("SELECT 1", [])).catch((cause: unknown) => {
        throw unavailable(cause);
      });
    },
    heartbeat: (epoch, leaseMs) => read((db) => beat(db, epoch, leaseMs)),
    retire: (epoch) => read((db) => retire(db, epoch)),
    find: async (gid) => (await read((db) => loadByGid(db, [gid]))).get(gid) ?? null,
    ownedBy: (owner) => read((db) => loadByOwner(db, owner)),
    waitingDestinations: (atLeast) => read((db) => waitingDestinations(db, atLeast)),
    async list(filter) {
      const before = position(filter.position ?? "");
      if (before === undefined) return { transactions: [], nextPosition: "" };
      const rows = await read((db) => listGlobals(db, filter, before, filter.limit + 1));
      const { page, nextPosition } = paged(rows, filter.limit);
      return { transactions: page, nextPosition };
    },
    summary: (ask) => read((db) => summary(db, ask)),
    findKeys: (filter) => read((db) => findKeys(db, filter)),
    async scanKeys({ cat, position: after, limit }) {
      const before = position(after);
      if (before === undefined) return { entries: [], nextPosition: "" };
      const { page, nextPosition } = paged(await read((db) => keysBefore(db, cat, before, limit + 1)), limit);
      return { entries: page, nextPosition };
    },
    close: () => pool.end(),
  };
}

function unavailable(cause: unknown): StoreUnavailable {
  return new StoreUnavailable(`the database can't answer: ${messageOf(cause)}`, { cause });
}

/** null: from the newest; undefined: it can't be one of ours, so nothing lies behind it. */
function position(text: string): number | null | undefined {
  if (text === "") return null;
  const id = Number(text);
  return Number.isNaN(id) ? undefined : Math.min(Number.MAX_SAFE_INTEGER, Math.max(-1, Math.ceil(id)));
}

/** One row more was read than asked for, so that the end is known. */
function paged<R extends { readonly id: number }>(
  rows: readonly R[],
  limit: number,
): { page: readonly R[]; nextPosition: string } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, nextPosition: rows.length > limit && last !== undefined ? String(last.id) : "" };
}
