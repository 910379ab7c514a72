/** The one writer of the database (rules.md R25): a worker thread, so that an fsync never blocks the event loop. */
import { workerData } from "node:worker_threads";
import { runAgain, runBatch } from "./batch.js";
import { prepareDatabase } from "./prepare.js";
import type { WorkerStart, WriteReply, WriteRequest } from "./wire.js";
import { serve } from "./worker-side.js";

await serve<WriteRequest, WriteReply>(async () => {
  const { db } = await prepareDatabase(workerData as WorkerStart);
  return {
    answer: ({ request, again }) => (again ? runAgain(db, request) : runBatch(db, request)),
    close() {
      db.pragma("wal_checkpoint(TRUNCATE)");
      db.close();
    },
  };
});
