/**
 * `-r` drops all data, as with dtm; but only what is surely the server's own: the files of the sqlite store, and never while
 * another server uses them. dtm's FLUSHALL on a shared Redis is what nobody wanted (Q30).
 */
import { rmSync } from "node:fs";
import type { Config } from "../config/schema.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";
import { explainOpening } from "../stores/open.js";
import { holdFolder } from "../stores/sqlite/folder.js";

export async function resetData({ Store, DataDir }: Config, log: Log): Promise<void> {
  if (Store.Driver === "memory") return;
  if (Store.Driver !== "sqlite")
    throw new StartError(`-r is for the sqlite store only: empty ${Store.Driver} with its own tools, then start without -r`);
  const folder = await holdFolder(DataDir).catch((cause: unknown) => {
    throw explainOpening(cause);
  });
  try {
    // The log first: a database without its log is an old one, a log without its database is nothing.
    for (const file of [`${folder.file}-wal`, `${folder.file}-shm`, folder.file]) rmSync(file, { force: true });
  } finally {
    folder.release();
  }
  log.warn({ file: folder.file }, "all data deleted (-r)");
}
