import { inPostgres, POSTGRES, postgresAddress, postgresDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { faultsContract } from "../relational/contract/faults.js";
import { openPostgres } from "./store.js";

const KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'dtm'";

withServer(POSTGRES, () =>
  faultsContract("postgres", async () => {
    const database = await postgresDatabase();
    const address = postgresAddress(database.name);
    return {
      target: address,
      isCommit: (data) => data.includes("COMMIT\0"),
      async open(port, patienceMs) {
        const store = openPostgres({ ...address, ...(port === null ? {} : { port }), patienceMs });
        await store.open();
        return store;
      },
      async killConnections() {
        const { rowCount } = await inPostgres((client) => client.query(KILL, [database.name]));
        return rowCount ?? 0;
      },
      dispose: () => database.drop(),
    };
  }),
);
