import { POSTGRES, postgresAddress, postgresClient, postgresDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { heartbeatContract } from "../relational/contract/heartbeat.js";
import { openPostgres } from "./store.js";

withServer(POSTGRES, () =>
  heartbeatContract("postgres", async () => {
    const database = await postgresDatabase();
    return {
      async open() {
        const store = openPostgres({ ...postgresAddress(database.name), maxConnections: 3 });
        await store.open();
        return store;
      },
      async lock(table) {
        const client = await postgresClient(database.name);
        await client.query(`BEGIN; LOCK TABLE ${table}`);
        return () => client.end();
      },
      async isWaitedFor() {
        const client = await postgresClient(database.name);
        const asked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        const { rows } = await client.query(asked).finally(() => client.end());
        return rows.length > 0;
      },
      dispose: () => database.drop(),
    };
  }),
);
