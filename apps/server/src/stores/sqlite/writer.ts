/** The one writer of the database (rules.md R25): a worker thread, so that an fsync never blocks the event loop. */
import { workerData } from "node:worker_threads";
import { runAgain, runBatch } from "./batch.js";
import { prepareDatabase } from "./prepare.js";
import { isFailure, type WorkerStart, type WriteReply, type WriteRequest } from "./wire.js";
import { serve } from "./worker-side.js";

await serve<WriteRequest, WriteReply>(async () => {
  const { db } = await prepareDatabase(workerData as WorkerStart);
  /** A ping that only reads would call a full disk ready. */
  let refused = false;
  return {
    answer({ request, again }) {
      const reply = again ? runAgain(db, request, refused) : runBatch(db, request, refused);
      refused = isFailure(reply);
      return reply;
    },
    close() {
      db.pragma("wal_checkpoint(TRUNCATE)");
      db.close();
    },
  };
});
