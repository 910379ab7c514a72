/** How much a store holds, by its database's own account. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../src/stores/sqlite/database.js";
import type { CrashStore } from "../e2e/crash/stores.js";
import { until } from "../e2e/kit/until.js";
import { inMysql } from "../kit/temporary-mysql.js";
import { inPostgres } from "../kit/temporary-postgres.js";
import { onMasters, REDIS, REDIS_CLUSTER } from "../kit/temporary-redis.js";

export interface Size {
  /** Of transactions and branches; on Redis, keys. */
  readonly rows: number;
  /** On disk; on Redis, in memory. */
  readonly bytes: number;
}

/** Transactions whose old rows are still kept, on a server that is idle. */
const PURGED = 200;

const ROWS = "(SELECT count(*) FROM trans_global) + (SELECT count(*) FROM trans_branch_op)";

export async function sizeOf(store: CrashStore, env: Readonly<Record<string, string>>, dataDir: string): Promise<Size> {
  switch (store.name) {
    case "sqlite":
      return ofSqlite(join(dataDir, "dtm.db"));
    case "postgres":
      return ofPostgres(env["STORE_DB"] ?? "");
    case "mysql":
      return ofMysql(env["STORE_DB"] ?? "");
    case "redis":
    case "redis cluster":
      return ofRedis(store.name === "redis" ? REDIS : REDIS_CLUSTER, env["STORE_KEY_PREFIX"] ?? "");
    default:
      throw new Error(`nobody knows how large ${store.name} is`);
  }
}

function ofSqlite(file: string): Size {
  const db = new Database(file, { busyMs: 5_000 });
  const [rows] = db.get(`SELECT ${ROWS}`, []) ?? [];
  db.close();
  return { rows: Number(rows), bytes: statSync(file).size };
}

function ofPostgres(database: string): Promise<Size> {
  return inPostgres(async (client) => {
    // Stands in for autovacuum, which has whole days for it.
    await client.query("VACUUM ANALYZE");
    const bytes = "pg_total_relation_size('trans_global') + pg_total_relation_size('trans_branch_op')";
    const { rows } = await client.query<{ rows: string; bytes: string }>(`SELECT ${ROWS} AS rows, ${bytes} AS bytes`);
    return { rows: Number(rows[0]?.rows), bytes: Number(rows[0]?.bytes) };
  }, database);
}

function ofMysql(database: string): Promise<Size> {
  return inMysql(async (connection) => {
    // Purging has whole days for what was deleted; the next day's rows must find its room free.
    await until(
      "what was deleted is purged",
      async () => {
        const [found] = await connection.query("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'");
        const [status] = found as { Value: string }[];
        return status === undefined || Number(status.Value) < PURGED ? true : undefined;
      },
      { withinMs: 120_000, everyMs: 1_000 },
    );
    const [rows] = await connection.query(`SELECT ${ROWS} AS held`);
    const [row] = rows as { held: number }[];
    // MariaDB's name of it, then MySQL's. What information_schema.tables says of a table goes up and down with the extents reserved.
    const [views] = await connection.query(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_name IN ('INNODB_SYS_TABLESPACES', 'INNODB_TABLESPACES')",
    );
    const [view] = views as { name: string }[];
    const [files] = await connection.query(
      `SELECT sum(file_size) AS bytes FROM information_schema.${view?.name} WHERE name LIKE concat(database(), '/trans\\_%')`,
    );
    const [file] = files as { bytes: number | string | null }[];
    if (file?.bytes == null) throw new Error("InnoDB names no files of these tables");
    return { rows: Number(row?.held), bytes: Number(file.bytes) };
  }, database);
}

/** Journals of servers that ended: each must go by itself, a day later by Redis' own clock, which these days don't move. */
const JOURNAL = /\}:j:/;

async function ofRedis(server: typeof REDIS, prefix: string): Promise<Size> {
  const sizes = await onMasters(server, async (redis): Promise<Size> => {
    let rows = 0;
    let bytes = 0;
    for await (const found of redis.scanStream({ match: `{${prefix}:*`, count: 1_000 })) {
      for (const key of found as string[]) {
        const left = JOURNAL.test(key) ? await redis.pttl(key) : -1;
        if (left > 0 && left <= 86_400_000) continue;
        rows++;
        bytes += (await redis.memory("USAGE", key)) ?? 0;
      }
    }
    return { rows, bytes };
  });
  return {
    rows: sizes.reduce((sum, size) => sum + size.rows, 0),
    bytes: sizes.reduce((sum, size) => sum + size.bytes, 0),
  };
}
