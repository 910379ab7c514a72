/** Transactions in a PostgreSQL database (13 or newer), dtm's tables included; several nodes may share it. */
import type { Log } from "../../engine/coordinator.js";
import type { Flushed } from "../lane.js";
import { readers } from "../relational/connections.js";
import { RelationalStore } from "../relational/store.js";
import type { Store } from "../store.js";
import { Connection, leave } from "./connection.js";
import { Pool, type PostgresAddress } from "./pool.js";
import { prepareDatabase } from "./prepare.js";
import { Naming } from "./prepared.js";
import { readsThrough } from "./reads.js";
import { PostgresSession } from "./session.js";

export interface PostgresOptions extends PostgresAddress {
  readonly maxConnections: number;
  /** Whether opening brings the schema up to date; if not, it refuses a schema that isn't. Default: true. */
  readonly autoMigrate?: boolean;
  readonly flushed?: Flushed;
  readonly log?: Log;
}

/** Opens nothing yet: `open` does, and says what keeps it from it (DatabaseUnusable, MigrationRefused). */
export function openPostgres(options: PostgresOptions): Store {
  const naming = new Naming();
  const pool = new Pool(options, readers(options.maxConnections));
  return new RelationalStore({
    ...(options.flushed === undefined ? {} : { flushed: options.flushed }),
    connect: () =>
      pool.dedicatedTo(async (client) => {
        const connection = new Connection(client, pool.tables, await naming.on(client));
        return new PostgresSession(connection, naming, () => leave(client));
      }),
    patienceMs: options.patienceMs,
    prepare: () => prepareDatabase(pool, options, { autoMigrate: options.autoMigrate ?? true, log: options.log }),
    reads: readsThrough(pool),
  });
}
