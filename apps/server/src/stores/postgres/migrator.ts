import type pg from "pg";
import type { Migrator } from "../migrate.js";
import { check } from "../migrate-check.js";
import { damagesFound } from "../relational/inspection.js";
import { Connection } from "./connection.js";
import { isMigrating } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { Pool, type PostgresAddress } from "./pool.js";
import { migrateDatabase, onServer } from "./prepare.js";
import { appliedMigrations, schemaOf } from "./schema.js";
import { adoptedIds } from "./sql/adopted.js";
import { hasTable } from "./sql/has-table.js";
import { countUnfinished, lastWritten } from "./sql/last-written.js";
import { countLiveNodes } from "./sql/nodes.js";

/** `dtm migrate` on PostgreSQL. */
export function postgresMigrator(address: PostgresAddress): Migrator {
  const alone = async <T>(work: (client: pg.Client, pool: Pool) => Promise<T>): Promise<T> => {
    const pool = new Pool(address, 1);
    try {
      return await onServer(pool, address, (client) => work(client, pool));
    } finally {
      await pool.end();
    }
  };
  return {
    known: MIGRATIONS,
    migrate: () => alone(migrateDatabase),
    check: (pause) =>
      alone(async (client, { tables }) => {
        const db = new Connection(client, tables);
        const migrating = (): Promise<boolean> => isMigrating(client, tables);
        const inspected = { schema: () => schemaOf(client, tables), migrating, adoptedIds: () => adoptedIds(db) };
        const damages = await damagesFound(inspected, MIGRATIONS);
        if (damages.length > 0) return damages;
        return check(
          {
            applied: () => appliedMigrations(client, tables),
            migrating,
            look: async () =>
              (await hasTable(db, tables.global)) ? { unfinished: await countUnfinished(db), rows: await lastWritten(db) } : null,
            liveServers: async () => ((await hasTable(db, tables.node)) ? countLiveNodes(db) : 0),
          },
          MIGRATIONS,
          pause,
        );
      }),
  };
}
