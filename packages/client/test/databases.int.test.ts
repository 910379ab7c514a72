/**
 * Real money in PostgreSQL and MariaDB, moved through a real coordinator, ours and dtm: an XA transfer between the two, a message with a local
 * transaction, and a workflow with XA steps.
 */
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/pg";
import { type XaDatabase, xaBranch, xaMysql2, xaPostgres } from "@dtm/barrier/xa";
import express from "express";
import mysql from "mysql2/promise";
import pg from "pg";
import { withServer } from "../../barrier/test/kit/with-server.js";
import { type Bed, makeBed } from "../../barrier/test/xa/beds.js";
import { type Coordinator, dtmBinary, notRun, startDtm, startOurs } from "../../client-grpc/test/kit/servers.js";
import { branch, Failure, HttpClient, Workflows, workflowListener } from "../src/index.js";

const POSTGRES = { name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" };
const MYSQL = { name: "MariaDB or MySQL", variable: "DTM_TEST_MYSQL" };
const COORDINATORS = [
  ["our coordinator", () => startOurs()],
  [
    "dtm",
    async () => {
      const binary = await dtmBinary();
      return binary === null ? null : startDtm(binary);
    },
  ],
] as const;

interface Transfer {
  readonly amount: number;
}

withServer(POSTGRES, () => withServer(MYSQL, () => describe.each(COORDINATORS)("%s", suite)));

function suite(name: string, start: () => Promise<Coordinator | null>): void {
  let coordinator: Coordinator | null = null;
  let client: HttpClient;
  let server: Server;
  let origin: string;
  let from: Bed;
  let to: Bed;
  let pgPool: pg.Pool;
  let mysqlPool: mysql.Pool;
  let workflows: Workflows;
  const before = { from: 0, to: 0 };

  beforeAll(async () => {
    coordinator = await start();
    if (coordinator === null) return;
    [from, to] = [await makeBed("pg"), await makeBed("mysql2")];
    pgPool = new pg.Pool({ connectionString: from.address });
    pgPool.on("error", () => undefined);
    mysqlPool = mysql.createPool({ uri: to.address });
    client = new HttpClient({ server: coordinator.http });
    const app = express();
    server = await new Promise<Server>((resolve) => {
      const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
    });
    const address = server.address();
    origin = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
    workflows = new Workflows(client, { callback: `${origin}/workflows` });
    serve(app);
  }, 900_000);
  afterAll(async () => {
    if (coordinator === null) return;
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await Promise.all([pgPool.end(), mysqlPool.end()]);
    await Promise.all([from.drop(), to.drop()]);
  });
  beforeEach(async () => {
    if (coordinator === null) return;
    before.from = await from.balance();
    before.to = await to.balance();
  });

  const accounts = (): XaDatabase<pg.PoolClient> => xaPostgres(pgPool, { table: from.table });
  const shop = (): XaDatabase<mysql.PoolConnection> => xaMysql2(mysqlPool, { table: to.table });
  const take = (connection: pg.PoolClient, amount: number) =>
    connection.query("update account set balance = balance - $1 where id = 1", [amount]);
  const give = (connection: mysql.PoolConnection, amount: number) =>
    connection.query("update account set balance = balance + ? where id = 1", [amount]);

  function serve(app: express.Express): void {
    const { registerXaBranch: register } = client;
    app.post(
      "/take",
      branchHandler<Transfer>(null, (payload) =>
        xaBranch(accounts(), { register }, (connection) => take(connection, payload.amount)),
      ),
    );
    app.post(
      "/give",
      branchHandler<Transfer>(null, (payload) =>
        xaBranch(shop(), { register }, async (connection) => {
          if (payload.amount > 1000) throw new Failure("too much");
          await give(connection, payload.amount);
        }),
      ),
    );
    app.post(
      "/credit",
      branchHandler<Transfer>(null, async ({ amount }) => {
        await mysqlPool.query("update account set balance = balance + ? where id = 1", [amount]);
      }),
    );
    app.get(
      "/asked",
      branchHandler(null, () => barrier.queryPrepared(pgPool, { table: from.table })),
    );
    app.all("/workflows", workflowListener(workflows));
  }

  const moved = async () => [before.from - (await from.balance()), (await to.balance()) - before.to];
  const leftovers = async () => [...(await from.prepared()), ...(await to.prepared())];
  const withCoordinator = (title: string, run: () => Promise<void>): void => {
    test(title, async () => {
      if (coordinator === null) return notRun(`SDK on databases against ${name}: Go (1.22 or newer) isn't installed`);
      await run();
    });
  };
  const transfer = (amount: number, options = {}) =>
    client.xa({ waitResult: true, ...options }, async (xa) => {
      await xa.branch({ url: branch<Transfer>(`${origin}/take`), payload: { amount } });
      await xa.branch({ url: branch<Transfer>(`${origin}/give`), payload: { amount } });
    });

  withCoordinator("an XA transfer between PostgreSQL and MariaDB commits on both sides", async () => {
    await transfer(30);
    expect(await moved()).toEqual([30, 30]);
    expect(await leftovers()).toEqual([]);
  });

  withCoordinator("one that is refused leaves nothing on either side", async () => {
    const gid = await client.newGid();
    await expect(transfer(2000, { gid })).rejects.toMatchObject({ code: "FAILURE" });
    expect((await client.waitFor(gid)).status).toBe("failed");
    expect(await moved()).toEqual([0, 0]);
    expect(await leftovers()).toEqual([]);
  });

  withCoordinator("a message goes out with its local transaction, and not without it", async () => {
    const send = async (fails: boolean) => {
      const message = client.msg({ waitResult: true }).step({ action: `${origin}/credit`, payload: { amount: 7 } });
      const pay = async (): Promise<void> => {
        const connection = await pgPool.connect();
        try {
          await connection.query("begin");
          await barrier.run(
            connection,
            async () => {
              await take(connection, 7);
              if (fails) throw new Error("disk full");
            },
            { table: from.table },
          );
          await connection.query("commit");
        } catch (error) {
          await connection.query("rollback");
          throw error;
        } finally {
          connection.release();
        }
      };
      await message.doAndSubmit(`${origin}/asked`, pay);
    };
    await send(false);
    expect(await moved()).toEqual([7, 7]);
    await expect(send(true)).rejects.toThrow("disk full");
    expect(await moved()).toEqual([7, 7]);
  });

  withCoordinator("a workflow with XA steps commits both, or neither", async () => {
    const move = workflows.define(`move-${randomBytes(4).toString("hex")}`, async (wf, { amount }: Transfer) => {
      const taken = await wf.xa(accounts(), async (connection) => {
        await take(connection, amount);
        return { taken: amount };
      });
      await wf.xa(shop(), async (connection) => {
        await give(connection, amount);
        if (amount > 1000) throw new Failure("too much");
      });
      return taken;
    });
    expect(await move.execute({ amount: 5 })).toEqual({ taken: 5 });
    expect(await moved()).toEqual([5, 5]);
    await expect(move.execute({ amount: 5000 })).rejects.toMatchObject({ code: "TRANSACTION_FAILED" });
    expect(await moved()).toEqual([5, 5]);
    expect(await leftovers()).toEqual([]);
  });
}
