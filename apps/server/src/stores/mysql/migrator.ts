import type { Migrator } from "../migrate.js";
import { check } from "../migrate-check.js";
import { damagesFound } from "../relational/inspection.js";
import { isMigrating } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { type MysqlAddress, Pool } from "./pool.js";
import { migrateDatabase, type OnServer, onServer, otherZoneTrouble, zoneTrouble } from "./prepare.js";
import { schemaOf } from "./schema.js";
import { adoptedIds } from "./sql/adopted.js";
import { hasTable } from "./sql/has-table.js";
import { countUnfinished, lastWritten } from "./sql/last-written.js";
import { countLiveNodes } from "./sql/nodes.js";

/** `dtm migrate` on MySQL or MariaDB. */
export function mysqlMigrator(address: MysqlAddress): Migrator {
  const alone = async <T>(work: (server: OnServer) => Promise<T>): Promise<T> => {
    const pool = new Pool(address, 1);
    try {
      return await onServer(pool, address, work);
    } finally {
      await pool.end();
    }
  };
  return {
    known: MIGRATIONS,
    migrate: () => alone((server) => migrateDatabase(server, address)),
    check: (pause) =>
      alone(async ({ driver, db }) => {
        const migrating = (): Promise<boolean> => isMigrating(driver, address.database);
        const inspected = { schema: () => schemaOf(driver), migrating, adoptedIds: () => adoptedIds(db) };
        const damages = await damagesFound(inspected, MIGRATIONS);
        if (damages.length > 0) return damages;
        const findings = await check(
          {
            applied: async () => (await schemaOf(driver)).applied,
            migrating,
            look: async () =>
              (await hasTable(db, "trans_global"))
                ? { unfinished: await countUnfinished(db), rows: await lastWritten(db) }
                : null,
            liveServers: async () => ((await hasTable(db, "dtm_node")) ? countLiveNodes(db) : 0),
          },
          MIGRATIONS,
          pause,
        );
        const isOurs = (await schemaOf(driver)).columns.has("trans_global.due_at");
        const zone = (await zoneTrouble(db, address)) ?? (isOurs ? await otherZoneTrouble(db, address) : null);
        return zone === null ? findings : [...findings, zone];
      }),
  };
}
