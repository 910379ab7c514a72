/** Transactions in a MySQL (8) or MariaDB (10.6 or newer) database, dtm's tables included; several nodes may share it. */
import type { Log } from "../../engine/coordinator.js";
import type { Flushed } from "../lane.js";
import { readers } from "../relational/connections.js";
import { RelationalStore } from "../relational/store.js";
import type { Store } from "../store.js";
import { type MysqlAddress, Pool } from "./pool.js";
import { prepareDatabase } from "./prepare.js";
import { readsThrough } from "./reads.js";
import { openSession } from "./session.js";

export interface MysqlOptions extends MysqlAddress {
  readonly maxConnections: number;
  /** Whether opening brings the schema up to date; if not, it refuses a schema that isn't. Default: true. */
  readonly autoMigrate?: boolean;
  readonly flushed?: Flushed;
  readonly log?: Log;
}

/** Opens nothing yet: `open` does, and says what keeps it from it (DatabaseUnusable, MigrationRefused). */
export function openMysql(options: MysqlOptions): Store {
  const pool = new Pool(options, readers(options.maxConnections));
  return new RelationalStore({
    ...(options.flushed === undefined ? {} : { flushed: options.flushed }),
    connect: () => pool.dedicatedTo((driver) => openSession(driver, pool.zone)),
    patienceMs: options.patienceMs,
    prepare: () => prepareDatabase(pool, options, { autoMigrate: options.autoMigrate ?? true, log: options.log }),
    reads: readsThrough(pool),
  });
}
