/**
 * The one reader: a worker thread with a connection that can't write. Prisma, some 80 MB of
 * memory, is loaded when somebody first lists; what the server itself asks for again and again is plain SQL.
 */
import { workerData } from "node:worker_threads";
import { Database } from "./database.js";
import type { PrismaReads } from "./prisma-reads.js";
import { findKeys } from "./sql/keys.js";
import { loadByGid, loadByOwner } from "./sql/load.js";
import { summary } from "./sql/summary.js";
import { waitingDestinations } from "./sql/waiting.js";
import { type LoadedRows, Packer, type ReadReply, type ReadRequest, type WorkerStart } from "./wire.js";
import { serve } from "./worker-side.js";

await serve<ReadRequest, ReadReply>(async () => {
  const { file } = workerData as WorkerStart;
  const db = new Database(file, { busyMs: 5_000 });
  db.exec("PRAGMA query_only = ON; PRAGMA cache_size = -4096");
  let loading: Promise<PrismaReads> | null = null;
  const prisma = (): Promise<PrismaReads> => {
    loading ??= import("./prisma-reads.js").then(({ openPrismaReads }) => openPrismaReads(file));
    return loading;
  };
  return {
    async answer({ request }) {
      switch (request.kind) {
        case "find":
          return rows((packer) => loadByGid(db, request.gid, packer));
        case "ownedBy":
          return rows((packer) => loadByOwner(db, request.owner, packer));
        case "waitingDestinations":
          return value(waitingDestinations(db, request.atLeast));
        case "summary":
          return value(summary(db, request));
        case "list":
          return value(await (await prisma()).list(request.filter));
        case "findKeys":
          return value(findKeys(db, request));
        case "scanKeys":
          return value(await (await prisma()).scanKeys(request));
        case "ping":
          return value(db.get("SELECT count(*) FROM schema_migrations", []) !== undefined);
      }
    },
    async close() {
      if (loading !== null) await (await loading).close();
      db.close();
    },
  };
});

function rows(load: (packer: Packer) => readonly LoadedRows[]): ReadReply {
  const packer = new Packer();
  const loaded = load(packer);
  return { kind: "rows", rows: loaded, bytes: packer.bytes() };
}

function value(what: unknown): ReadReply {
  return { kind: "value", value: what };
}
