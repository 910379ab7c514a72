/** What an application left open on a connection of its pool is not part of the branch that gets the connection next. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { BranchCall } from "../../src/context.js";
import { xaBranch, xaPostgres } from "../../src/xa.js";
import { withServer } from "../kit/with-server.js";
import { type Bed, makeBed, SERVERS } from "./beds.js";

withServer(SERVERS.pg, () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await makeBed("pg");
  });
  afterAll(() => bed?.drop());

  test("a client that was given back in a transaction is closed, and the next delivery runs on another", async () => {
    const pool = new pg.Pool({ connectionString: bed.address, max: 1 });
    try {
      const client = await pool.connect();
      await client.query("begin");
      await client.query("update account set balance = balance + 999 where id = 1");
      client.release();
      const before = await bed.balance();
      const gid = `left-${randomUUID()}`;
      const database = xaPostgres(pool, { table: bed.table });
      const serve = (op: string) => {
        const branch = new BranchCall({
          gid,
          branchId: "01",
          op,
          transType: "xa",
          phase2Url: "http://s/xa",
          coordinator: "http://d",
        });
        return xaBranch(database, { branch, register: async () => undefined }, (connection) =>
          connection.query("update account set balance = balance + 1 where id = 1"),
        );
      };
      await expect(serve("action")).rejects.toMatchObject({ code: "TRANSACTION_OPEN" });
      await serve("action");
      await serve("commit");
      expect(await bed.balance()).toBe(before + 1);
    } finally {
      await pool.end();
    }
  });
});
