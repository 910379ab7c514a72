import type { RowDataPacket } from "mysql2/promise";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { faultsContract } from "../relational/contract/faults.js";
import { openMysql } from "./store.js";

const SESSIONS = "SELECT id FROM information_schema.processlist WHERE db = ? AND id <> connection_id()";

/** Alone, without or with MySQL's query attributes, or behind the statements that it completes. */
const COMMITS = ["\u0003COMMIT", "\u0003\0\u0001COMMIT", ";\nCOMMIT"];

withServer(MYSQL, () =>
  faultsContract("mysql", async () => {
    const database = await mysqlDatabase();
    const address = mysqlAddress(database.name);
    return {
      target: address,
      isCommit: (data) => COMMITS.some((text) => data.includes(text)),
      async open(port, patienceMs) {
        const store = openMysql({ ...address, ...(port === null ? {} : { port }), patienceMs });
        await store.open();
        return store;
      },
      killConnections: () =>
        inMysql(async (connection) => {
          const [rows] = await connection.query<RowDataPacket[]>(SESSIONS, [database.name]);
          // One may be gone by now.
          for (const row of rows) await connection.query(`KILL ${Number(row["id"])}`).catch(() => undefined);
          return rows.length;
        }),
      dispose: () => database.drop(),
    };
  }),
);
