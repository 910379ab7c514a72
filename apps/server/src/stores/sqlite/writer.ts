/** The one writer of the database (rules.md R25): a worker thread, so that an fsync never blocks the event loop. */
import { workerData } from "node:worker_threads";
import { migrate } from "../migrate.js";
import { runAgain, runBatch } from "./batch.js";
import { Database } from "./database.js";
import { codeOf, DatabaseUnusable, messageOf } from "./errors.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { leaveBehind } from "./sql/leave-behind.js";
import type { WorkerStart, WriteReply, WriteRequest } from "./wire.js";
import { serve } from "./worker-side.js";

/** For another program that looks into the file, like a backup. */
const BUSY_MS = 5_000;

await serve<WriteRequest, WriteReply>(async () => {
  const db = await openForWriting(workerData as WorkerStart);
  return {
    answer: ({ request, again }) => (again ? runAgain(db, request) : runBatch(db, request)),
    close() {
      db.pragma("wal_checkpoint(TRUNCATE)");
      db.close();
    },
  };
});

async function openForWriting({ file, first, now }: WorkerStart): Promise<Database> {
  try {
    const db = new Database(file, { busyMs: BUSY_MS });
    const mode = db.pragma("journal_mode = WAL");
    if (mode !== "wal") throw new DatabaseUnusable(`${file} can't keep a write-ahead log (journal mode ${String(mode)})`);
    db.exec(
      "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864",
    );
    await migrate(migrationTarget(db, now), MIGRATIONS);
    if (first) leaveBehind(db, now);
    return db;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === null && cause instanceof Error && cause.name !== "Error") throw cause;
    throw new DatabaseUnusable(`${file} can't be opened: ${code === null ? "" : `${code}: `}${messageOf(cause)}`, { cause });
  }
}
