/** What a handler leaves under way: its branch's answer says how that ended, whether or not anybody awaited it. */
import { Failure } from "@dtm/protocol";
import pg from "pg";
import { BranchCall } from "../../src/context.js";
import { barrier as mongoBarrier } from "../../src/mongodb.js";
import { runAsBranch } from "../../src/nested.js";
import { barrier } from "../../src/pg.js";
import { barrier as redisBarrier } from "../../src/redis.js";
import { serve } from "../../src/serve.js";
import { type PgClientLike, xa, xaBranch, xaPostgres } from "../../src/xa.js";
import { type Database, openDatabase } from "../kit/databases.js";
import { withServer } from "../kit/with-server.js";
import { FakeMongo } from "./fake-mongodb.js";

let calls = 0;
const newCall = (op = "action", transType = "saga"): BranchCall =>
  new BranchCall({ gid: `floating-${++calls}`, transType, branchId: "01", op });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a barrier of Redis that nobody awaits", () => {
  const redis = {
    defineCommand: () => undefined,
    async eval(): Promise<unknown> {
      await pause(20);
      return ["FAILURE"];
    },
  };
  const refuse = (): Promise<unknown> => redisBarrier.adjustAmount(redis, "account", -30);

  test.each<[string, () => unknown]>([
    ["not awaited", () => void refuse()],
    ["failed before the end of the handler, and not awaited", () => [void refuse(), pause(60)][1]],
    ["caught, but not awaited", () => void refuse().catch(() => undefined)],
  ])("%s: its refusal is the branch's own", async (_, work) => {
    await expect(
      runAsBranch(newCall(), async () => {
        await work();
      }),
    ).rejects.toBeInstanceOf(Failure);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["at once", () => refuse()],
    [
      "when it had failed",
      async () => {
        const run = refuse();
        await pause(60);
        await run;
      },
    ],
  ])("awaited %s and caught: it is the handler's own affair", async (_, work) => {
    const handler = async (): Promise<string> => {
      await work().catch(() => undefined);
      return "done";
    };
    expect(await runAsBranch(newCall(), handler)).toBe("done");
  });

  test("a barrier awaited in the handler is an ordinary promise for what is made of it", async () => {
    await runAsBranch(newCall(), async () => {
      const run = refuse();
      expect(run).toBeInstanceOf(Promise);
      expect(run.catch(() => undefined).constructor).toBe(Promise);
    }).catch(() => undefined);
  });

  test("of a branch made by hand that no handler around it serves, it is its caller's", async () => {
    const run = redisBarrier.adjustAmount(redis, "account", -30, { branch: { ...newCall() } });
    expect(await runAsBranch(newCall(), () => void run.catch(() => undefined))).toBeUndefined();
    await expect(run).rejects.toBeInstanceOf(Failure);
  });
});

test("a barrier of MongoDB that nobody awaits: its error is the branch's own", async () => {
  const client = new FakeMongo();
  await mongoBarrier.createCollection(client);
  const session = client.startSession();
  const boom = new Error("no such account");
  const late = async (): Promise<void> => {
    await pause(20);
    throw boom;
  };
  const handler = async (): Promise<void> => {
    void session.withTransaction(async () => void mongoBarrier.run(session, late, { client })).catch(() => undefined);
  };
  await expect(runAsBranch(newCall(), handler)).rejects.toBe(boom);
});

withServer({ name: "PostgreSQL", variable: "DTM_TEST_POSTGRES" }, () => {
  describe("a barrier of PostgreSQL that nobody awaits", () => {
    let database: Database;
    let pool: pg.Pool;
    beforeAll(async () => {
      database = await openDatabase("postgres");
      const { host, port, user, password, name } = database;
      pool = new pg.Pool({ host, port, user, password, database: name, max: 3, statement_timeout: 20_000 });
      await barrier.createTable(pool);
      await pool.query("create table purse (balance int check (balance >= 0))");
      await pool.query("insert into purse values (100)");
    });
    afterAll(async () => {
      await pool.end();
      await database.drop();
    });
    const query = (call: BranchCall) => (key: string) =>
      ({ gid: call.gid, branch_id: call.branchId, op: call.op, trans_type: call.transType, phase2_url: "http://a/b" })[key];
    const balance = async (): Promise<unknown> => (await pool.query("select balance from purse")).rows[0];
    const take = (amount: number) => (client: Pick<PgClientLike, "query">) =>
      client.query("update purse set balance = balance - $1 from pg_sleep(0.05)", [amount]);

    test("the answer of a `transaction` comes after its commit, and has its error", async () => {
      expect(await serve(query(newCall()), () => void barrier.transaction(pool, take(30)))).toMatchObject({ kind: "success" });
      expect(await balance()).toEqual({ balance: 70 });
      const errors: unknown[] = [];
      const options = { onError: (error: unknown) => void errors.push(error) };
      const call = newCall();
      expect(await serve(query(call), () => void barrier.transaction(pool, take(300)), options)).toMatchObject({ kind: "error" });
      expect(errors).toEqual([expect.objectContaining({ code: "23514" })]);
      // The next delivery finds no row of it.
      expect(await serve(query(call), () => barrier.transaction(pool, take(30)))).toMatchObject({ result: { ran: true } });
      expect(await balance()).toEqual({ balance: 40 });
    });

    test("the answer of a `run` has its error", async () => {
      const client = await pool.connect();
      await client.query("begin");
      const handler = (): void => void barrier.run(client, take(300));
      expect(await serve(query(newCall()), handler, { onError: () => undefined })).toMatchObject({ kind: "error" });
      await client.query("rollback");
      client.release();
    });

    test("`queryPrepared` is the answer to the coordinator's question", async () => {
      expect(await serve(query(newCall("action", "msg")), () => void barrier.queryPrepared(pool))).toMatchObject({
        kind: "failure",
      });
    });

    test("the answers of an XA branch come after its phases, and have their errors", async () => {
      const accounts = xaPostgres(pool);
      const register = async (): Promise<void> => pause(20);
      const refused = async (): Promise<void> => {
        await register();
        throw new Failure("TRANSACTION_CONFLICT");
      };
      const { gid } = newCall();
      const of = (op: string): BranchCall => new BranchCall({ gid, transType: "xa", branchId: "01", op });
      const before = await balance();
      expect(await serve(query(of("action")), () => void xaBranch(accounts, { register: refused }, take(1)))).toMatchObject({
        kind: "failure",
      });
      expect(await serve(query(of("action")), () => void xa.run(accounts, { register }, take(1)))).toMatchObject({
        kind: "success",
      });
      expect((await pool.query("select 1 from pg_prepared_xacts where database = current_database()")).rows).toHaveLength(1);
      expect(await balance()).toEqual(before);
      expect(await serve(query(of("commit")), () => void xaBranch(accounts, { register }, take(1)))).toMatchObject({
        kind: "success",
      });
      expect(await balance()).toEqual({ balance: Number(Object(before).balance) - 1 });
      // Too late: the branch was committed.
      const rollback = () => void xa.rollback(accounts, of("rollback"));
      expect(await serve(query(of("rollback")), rollback, { onError: () => undefined })).toMatchObject({ kind: "error" });
    });

    test("one that was rolled back and awaited may be run again with its id", async () => {
      const handler = async (): Promise<void> => {
        await barrier.transaction(pool, take(300)).catch(() => undefined);
        await barrier.transaction(pool, take(10));
      };
      const before = Object(await balance()).balance;
      expect(await serve(query(newCall()), handler)).toMatchObject({ kind: "success" });
      expect(await balance()).toEqual({ balance: before - 10 });
    });
  });
});
