import mysql, { type RowDataPacket } from "mysql2/promise";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { heartbeatContract } from "../relational/contract/heartbeat.js";
import { openMysql } from "./store.js";

withServer(MYSQL, () =>
  heartbeatContract("mysql", async () => {
    const database = await mysqlDatabase();
    const address = mysqlAddress(database.name);
    return {
      async open() {
        const store = openMysql({ ...address, maxConnections: 4 });
        await store.open();
        return store;
      },
      async lock(table) {
        const { host, port, user, password } = address;
        const connection = await mysql.createConnection({ host, port, user, password, database: database.name });
        await connection.query(`LOCK TABLES ${table} WRITE`);
        return () => connection.end();
      },
      async isWaitedFor() {
        const asked = "SELECT id FROM information_schema.processlist WHERE db = ? AND state LIKE 'Waiting for table%'";
        const [rows] = await inMysql((connection) => connection.query<RowDataPacket[]>(asked, [database.name]));
        return rows.length > 0;
      },
      dispose: () => database.drop(),
    };
  }),
);
