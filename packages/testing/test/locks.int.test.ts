/** Steps inside a transaction of a real database, whose locks are let go by its end only. */
import { branchHandler } from "@dtm/barrier/express";
import { barrier as mysqlBarrier } from "@dtm/barrier/mysql2";
import { barrier as pgBarrier } from "@dtm/barrier/pg";
import { type Database, openDatabase } from "../../barrier/test/kit/databases.js";
import { notRun } from "../../barrier/test/kit/with-server.js";
import { faultMatrix, InvariantBroken, type Kit, type Run, type Scenario } from "../src/index.js";
import { type MysqlPool, mysqlPool, type PgClient, type PgPool, pgPool } from "./kit/drivers.js";
import { hurry } from "./kit/hurry.js";

jest.setTimeout(600_000);

const AMOUNT = 30;
const ACCOUNT = "a";
const UPDATE = "update account set n = n +";

/** Moves money in a local transaction. */
type Move = (kit: Kit, amount: number) => Promise<unknown>;

interface State {
  readonly database: Database;
}

function scenario(database: Database, move: Move): Scenario<State> {
  const handler = (kit: Kit, amount: number) => branchHandler(null, () => move(kit, amount), { onError: () => undefined });
  return {
    async setup(kit) {
      await database.read("delete from account");
      await database.read(`insert into account values ('${ACCOUNT}', 100)`);
      const [debit, undo] = [handler(kit, -AMOUNT), handler(kit, AMOUNT)];
      kit.serve("http://bank", (request, response) => {
        const serve = request.url?.startsWith("/debit?") === true ? debit : undo;
        void serve(request, response);
      });
      return { database };
    },
    run: (kit) =>
      kit.client
        .saga()
        .step({ action: "http://bank/debit", compensate: "http://bank/undo", payload: { amount: AMOUNT } })
        .submit(),
  };
}

async function invariant({ state, transactions }: Run<State>): Promise<void> {
  const [row] = await state.database.read("select n from account");
  expect(row?.["n"]).toBe(transactions[0]?.status === "succeed" ? 100 - AMOUNT : 100);
}

function withDatabase(
  { kind, variable }: { readonly kind: "postgres" | "mysql"; readonly variable: string },
  tests: (database: () => Database) => void,
): void {
  describe(kind, () => {
    if ((process.env[variable] ?? "") === "") return notRun(`tests of @dtm/testing on ${kind}: ${variable} names no server`);
    let database: Database;
    beforeAll(async () => {
      database = await openDatabase(kind);
    });
    tests(() => database);
    // Behind those of the tests, which close what they opened.
    afterAll(() => database.drop());
  });
}

withDatabase({ kind: "postgres", variable: "DTM_TEST_POSTGRES" }, (database) => {
  let pool: PgPool;
  beforeAll(async () => {
    pool = pgPool(database());
    await pgBarrier.createTable(pool);
  });
  afterAll(() => pool.end());

  const mortal = async (kit: Kit): Promise<PgClient> => kit.connection(await pool.connect(), (dead) => dead.release(true));

  async function move(client: PgClient, work: () => Promise<unknown>): Promise<void> {
    try {
      await client.query("begin");
      await work();
      await client.query("commit");
    } catch (cause) {
      await client.query("rollback");
      throw cause;
    } finally {
      client.release();
    }
  }

  const right: Move = async (kit, amount) => {
    const client = await mortal(kit);
    await move(client, () => pgBarrier.run(client, () => kit.fallible(client).query(`${UPDATE} $1`, [amount])));
  };

  test("a right saga stays right under every fault", async () => {
    const { skipped, runs } = await faultMatrix(scenario(database(), right), { invariant });
    expect(skipped).toBe(0);
    expect(runs).toBeGreaterThan(45);
  });

  test("so does one whose barrier takes the connection out of the pool", async () => {
    const whole: Move = (kit, amount) => {
      const mortalPool: PgPool = Object.create(pool, { connect: { value: () => mortal(kit) } });
      return pgBarrier.transaction(mortalPool, (client) => kit.io(() => client.query(`${UPDATE} $1`, [amount])));
    };
    const { skipped } = await faultMatrix(scenario(database(), whole), { invariant });
    expect(skipped).toBe(0);
  });

  test.each([
    "duplicate@g1/01.action#1",
    "crash-before@g1/01.action io#1",
    "crash-after@g1/01.action io#1",
    "refuse@g1/01.action#1 + duplicate@g1/01.compensate#1",
  ])("one seed gives one trace: %s", async (seed) => {
    const { trace } = await faultMatrix(scenario(database(), right), { invariant, seed });
    for (let again = 0; again < 5; again++) {
      expect((await faultMatrix(scenario(database(), right), { invariant, seed })).trace).toEqual(trace);
    }
  });

  test("a wrong one is found, and its seed replays it", async () => {
    const wrong: Move = async (kit, amount) => {
      const client = await mortal(kit);
      await move(client, () => kit.io(() => client.query(`${UPDATE} $1`, [amount])));
    };
    const broken = async (seed?: string): Promise<InvariantBroken> => {
      const end = await faultMatrix(scenario(database(), wrong), { invariant, seed }).catch((cause: unknown) => cause);
      if (end instanceof InvariantBroken) return end;
      throw new Error(`expected a broken invariant, found ${String(end)}`);
    };
    const found = await broken();
    expect((await broken(found.seed)).trace).toEqual(found.trace);
  });

  test("a dead process whose connection stays open is told of", async () => {
    hurry();
    const left: PgClient[] = [];
    const undying: Move = async (kit, amount) => {
      const client = await pool.connect();
      left.push(client);
      await move(client, () => pgBarrier.run(client, () => kit.fallible(client).query(`${UPDATE} $1`, [amount])));
    };
    const seed = "crash-before@g1/01.action io#1";
    const told = await faultMatrix(scenario(database(), undying), { invariant, seed }).catch((cause: unknown) => cause);
    jest.restoreAllMocks();
    // The dead one's, and that of who waits for it: they would keep the next test from its rows, and the pool from its end.
    for (const client of left) client.release(true);
    expect(told).toMatchObject({ name: "DtmError", code: "OPTION_INVALID" });
    expect(String(told)).toContain("kit.connection(client, destroy)");
  });
});

withDatabase({ kind: "mysql", variable: "DTM_TEST_MYSQL" }, (database) => {
  let pool: MysqlPool;
  beforeAll(async () => {
    pool = mysqlPool(database());
    await mysqlBarrier.createTable(pool);
  });
  afterAll(() => pool.end());

  test("a right saga stays right under every fault", async () => {
    const right: Move = async (kit, amount) => {
      const connection = kit.connection(await pool.getConnection(), (dead) => dead.destroy());
      try {
        await connection.beginTransaction();
        await mysqlBarrier.run(connection, () => kit.fallible(connection).query(`${UPDATE} ?`, [amount]));
        await connection.commit();
      } catch (cause) {
        await connection.rollback();
        throw cause;
      } finally {
        connection.release();
      }
    };
    const { skipped } = await faultMatrix(scenario(database(), right), { invariant });
    expect(skipped).toBe(0);
  });
});
