import type { RowDataPacket } from "mysql2/promise";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { saga } from "../contract/fixtures.js";
import { faultsContract } from "../relational/contract/faults.js";
import { HALTED_S } from "../relational/database.js";
import { openMysql } from "./store.js";

const SESSIONS = "SELECT id AS id FROM information_schema.processlist WHERE db = ? AND id <> connection_id() ORDER BY id";

async function sessions(database: string): Promise<readonly number[]> {
  const [rows] = await inMysql((connection) => connection.query<RowDataPacket[]>(SESSIONS, [database]));
  return rows.map((row) => Number(row["id"]));
}

/** Alone, without or with MySQL's query attributes, or behind the statements that it completes. */
const COMMITS = ["\u0003COMMIT", "\u0003\0\u0001COMMIT", ";\nCOMMIT"];

withServer(MYSQL, () => {
  // MySQL has one time for transactions and for connections that stand idle.
  test("a lane keeps its connection for longer than a transaction may stand idle", async () => {
    const database = await mysqlDatabase();
    const store = openMysql(mysqlAddress(database.name));
    await store.open();
    const given = saga();
    await store.create(given);
    // The gid is taken: a rollback, and another try.
    expect(await store.create(given)).toMatchObject({ kind: "exists" });
    const before = await sessions(database.name);
    expect(before).not.toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, (HALTED_S + 1) * 1_000));
    expect(await sessions(database.name)).toEqual(before);
    await store.close();
    await database.drop();
  }, 60_000);

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
      async killConnections() {
        const ids = await sessions(database.name);
        await inMysql(async (connection) => {
          // One may be gone by now.
          for (const id of ids) await connection.query(`KILL ${id}`).catch(() => undefined);
        });
        return ids.length;
      },
      dispose: () => database.drop(),
    };
  });
});
