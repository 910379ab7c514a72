/**
 * `dtm migrate` on a SQLite folder: held like a server holds it (R25), so nobody writes meanwhile. It runs in the command's own
 * process, where no event loop waits for the disk, so it needs no worker.
 */
import { existsSync } from "node:fs";
import { damagesIn, type Migrator } from "../migrate.js";
import { schemaFindings } from "../migrate-check.js";
import { databaseFile, holdFolder } from "./folder.js";
import { MIGRATIONS } from "./migrations/index.js";
import { opened, prepareDatabase } from "./prepare.js";
import { schemaOf } from "./schema.js";

export function sqliteMigrator(folder: string): Migrator {
  return {
    known: MIGRATIONS,
    migrate: () =>
      held(folder, async (file) => {
        const { db, migrated } = await prepareDatabase({ file, first: false, now: Date.now(), autoMigrate: true });
        db.close();
        return migrated;
      }),
    async check() {
      // Looking must not make a folder.
      if (!existsSync(databaseFile(folder))) return schemaFindings([], MIGRATIONS, { ofDtm: false });
      return held(folder, (file) =>
        opened(file, (db) => {
          db.exec("PRAGMA query_only = ON");
          const schema = schemaOf(db);
          db.close();
          const damages = damagesIn(schema, MIGRATIONS);
          return damages.length > 0 ? damages : schemaFindings(schema.applied, MIGRATIONS, { ofDtm: false });
        }),
      );
    },
  };
}

async function held<T>(folder: string, work: (file: string) => Promise<T>): Promise<T> {
  const { file, release } = await holdFolder(folder);
  try {
    return await work(file);
  } finally {
    release();
  }
}
