/** Who can be measured: how each is built, started, and which of its stores stands for which workload. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildDtm, dtmBinary, dtmSqlFolder } from "./dtm-build.mjs";
import { ROOT } from "./paths.mjs";

const BUNDLE = "apps/server/bin/dtm.js";
const OURS = join(ROOT, BUNDLE);
/** The same before it was bundled: a profile of it names files. */
const OURS_IN_FILES = join(ROOT, "apps/server/dist/main.js");

/** dtm's names of settings, which ours takes too (protocol.md 7.1). */
function common({ store, database, httpPort, grpcPort }) {
  const { connection } = store;
  const at = connection === null ? {} : { STORE_HOST: connection.host, STORE_PORT: String(connection.port) };
  const who = connection?.user ? { STORE_USER: connection.user, STORE_PASSWORD: connection.password } : {};
  return { ...at, ...who, STORE_DB: database, HTTP_PORT: String(httpPort), GRPC_PORT: String(grpcPort) };
}

async function built(bundle) {
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: build the server there first (pnpm build)`);
}

const ours = {
  name: "ours",
  label: "ours",
  database: "dtm_ours",
  prepare: () => built(OURS),
  async environment(run) {
    return {
      ...common({ ...run, database: this.database }),
      STORE_DRIVER: run.store.drivers.ours,
      DATA_DIR: join(run.folder, "data"),
      LOG_LEVEL: "error",
    };
  },
  launch: ({ nodeFlags }) => ({
    command: process.execPath,
    args: [...nodeFlags, nodeFlags.length === 0 ? OURS : OURS_IN_FILES, "serve"],
  }),
  /** Migrations run at start. */
  tables: async () => null,
};

const dtm = {
  name: "dtm",
  label: "dtm",
  /** The name that dtm's own MySQL script writes out. */
  database: "dtm",
  prepare: buildDtm,
  environment: async (run) => ({
    ...common({ ...run, database: dtm.database }),
    // In its PostgreSQL address an empty password swallows the database's name; a server that asks for none accepts any.
    ...(run.store.drivers.dtm === "postgres" && run.store.connection.password === "" ? { STORE_PASSWORD: "none" } : {}),
    STORE_DRIVER: run.store.drivers.dtm,
    LOG_LEVEL: "error",
  }),
  launch: () => ({ command: dtmBinary, args: [] }),
  tables: async (driver) => join(await dtmSqlFolder(), `dtmsvr.storage.${driver}.sql`),
};

export const PEERS = { ours, dtm };

/** Another checkout of this project: the version before, or an attempt. */
export function peerAt(folder) {
  const bundle = join(resolve(folder), BUNDLE);
  return {
    ...ours,
    name: "other",
    label: folder,
    database: "dtm_other",
    prepare: () => built(bundle),
    launch: ({ nodeFlags }) => ({ command: process.execPath, args: [...nodeFlags, bundle, "serve"] }),
  };
}
