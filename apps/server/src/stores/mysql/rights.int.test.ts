/** A login or a right that was taken and given back: MySQL reads rights when a connection begins, so the connections must not stay. */
import { randomBytes } from "node:crypto";
import type { RowDataPacket } from "mysql2/promise";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import type { TemporaryDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { NOW, saga } from "../contract/fixtures.js";
import { type Store, StoreUnavailable } from "../store.js";
import { openMysql } from "./store.js";

jest.setTimeout(120_000);

const LEASE_MS = 3_600_000;

withServer(MYSQL, () => {
  const user = `dtm_${randomBytes(4).toString("hex")}`;
  const account = `'${user}'@'%'`;
  const given = saga();
  const { gid } = given.transaction;
  let database: TemporaryDatabase;
  let store: Store;
  const asAdministrator = (sql: string) => inMysql((connection) => connection.query(sql));
  /** Every connection begins anew, with the rights of that moment. */
  const cutAll = (): Promise<void> =>
    inMysql(async (connection) => {
      const [rows] = await connection.query<RowDataPacket[]>("SELECT id FROM information_schema.processlist WHERE user = ?", [
        user,
      ]);
      for (const row of rows) await connection.query(`KILL ${Number(row["id"])}`);
    });

  beforeAll(async () => {
    database = await mysqlDatabase();
    await asAdministrator(`CREATE USER ${account} IDENTIFIED BY 'x'`);
    await asAdministrator(`GRANT ALL ON ${database.name}.* TO ${account}`);
    // Fewer connections than are asked at once, so that each of them is met.
    const address = { ...mysqlAddress(database.name), user, password: "x", maxConnections: 4, patienceMs: 2_000 };
    store = openMysql(address);
    await store.open();
    await store.heartbeat("here", LEASE_MS);
    await store.create(given);
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
    await asAdministrator(`DROP USER ${account}`);
  });

  test("a login that was refused once doesn't end the heartbeat", async () => {
    await asAdministrator(`ALTER USER ${account} ACCOUNT LOCK`);
    await cutAll();
    await expect(store.heartbeat("here", LEASE_MS)).rejects.toThrow(StoreUnavailable);
    await asAdministrator(`ALTER USER ${account} ACCOUNT UNLOCK`);
    expect(await store.heartbeat("here", LEASE_MS)).toBe(true);
  });

  test("rights that are given back count at once, for the lane, the readers and the heartbeat", async () => {
    const asked = (): Promise<unknown>[] => [
      store.nudge(gid, NOW).then((nudged) => nudged || Promise.reject(new Error("no such gid"))),
      store.find(gid),
      store.find(gid),
      store.heartbeat("here", LEASE_MS),
    ];
    await asAdministrator(`REVOKE ALL ON ${database.name}.* FROM ${account}`);
    // Enough for a login.
    await asAdministrator(`GRANT INDEX ON ${database.name}.* TO ${account}`);
    await cutAll();
    const begin = performance.now();
    const refused = await Promise.allSettled(asked());
    for (const answer of refused)
      expect(answer).toMatchObject({
        status: "rejected",
        reason: { name: "StoreUnavailable", message: expect.stringMatching(/denied/) },
      });
    expect(performance.now() - begin).toBeLessThan(1_500);
    await asAdministrator(`GRANT ALL ON ${database.name}.* TO ${account}`);
    expect((await Promise.allSettled(asked())).map(({ status }) => status)).toEqual(Array(4).fill("fulfilled"));
  });
});
