/** A sqlite store in a folder of its own, removed with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Opened } from "../../src/stores/contract/contract.js";
import { Database } from "../../src/stores/sqlite/database.js";
import { openSqlite, type SqliteOptions } from "../../src/stores/sqlite/store.js";
import type { Store } from "../../src/stores/store.js";
import { quiet } from "./quiet-log.js";

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "dtm-sqlite-"));
}

export async function openIn(folder: string, options: Partial<SqliteOptions> = {}): Promise<Store> {
  const store = openSqlite({ folder, log: quiet, onFatal: fail, ...options });
  await store.open();
  return store;
}

export async function openTemporary(): Promise<Opened> {
  const folder = temporaryFolder();
  let store = await openIn(folder);
  return {
    store,
    async clear() {
      const db = new Database(join(folder, "dtm.db"), { busyMs: 5_000 });
      db.exec("DELETE FROM trans_global; DELETE FROM trans_branch_op; DELETE FROM kv; DELETE FROM last_batch");
      db.close();
    },
    async reopen() {
      await store.close();
      store = await openIn(folder);
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function fail(cause: Error): void {
  throw cause;
}
