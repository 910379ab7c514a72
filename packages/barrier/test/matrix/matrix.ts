/** Every scenario on one driver and one database. A file per driver calls it, so that they run side by side. */
import { randomUUID } from "node:crypto";
import { Ongoing } from "@dtm/protocol";
import pg from "pg";
import type { RunResult } from "../../src/barrier.js";
import { BranchCall, runInBranch } from "../../src/context.js";
import { type Database, openDatabase, SERVERS, until } from "../kit/databases.js";
import { finishLockedStatements } from "../kit/libsql-locks.js";
import { SQLITE_DRIVER, Sqlite } from "../kit/sqlite-driver.js";
import { SqliteProcess } from "../kit/sqlite-process.js";
import { withServer } from "../kit/with-server.js";
import { after, type Bed, type Session } from "./bed.js";

const CONCURRENT = 64;

export function matrix(bed: Bed): void {
  const server = SERVERS[bed.on];
  describe(bed.name, () => {
    if (server === null) scenarios(bed);
    else withServer(server, () => scenarios(bed));
  });
}

/** One delivery of a branch call. */
interface Delivery {
  readonly gid: string;
  readonly op: string;
  readonly type?: string;
}

function scenarios(bed: Bed): void {
  let database: Database;
  let session: Session;
  const foreign = foreignTransaction(bed);

  beforeAll(async () => {
    database = await openDatabase(bed.on);
    session = await bed.open(database);
    await session.barrier.createTable(session.db);
  });
  afterAll(async () => {
    await session?.close();
    await database?.drop();
    foreign.close();
  });

  const table = bed.on === "sqlite" ? "barrier" : "dtm_barrier.barrier";
  const call = ({ gid, op, type = "saga" }: Delivery): BranchCall =>
    new BranchCall({ gid, transType: type, branchId: op === "msg" ? "00" : "01", op });
  const effects = async (key: string): Promise<number> => (await database.read(`select k from effect where k = '${key}'`)).length;
  const rowsOf = async (gid: string): Promise<string[]> =>
    (
      await database.read(`select branch_id, op, barrier_id, reason, trans_type from ${table} where gid = '${gid}' order by id`)
    ).map((row) => Object.values(row).join(" "));
  const insert = (tx: unknown, key: string): unknown => session.exec(tx, `insert into effect (k) values ('${key}')`);
  /** A guarded transaction whose work leaves one effect named after the gid. */
  const guarded = (delivery: Delivery, options: object = {}, work = insert): Promise<unknown> =>
    runInBranch(call(delivery), () => again(delivery, options, work));
  /** The same in the branch call that is under way. */
  const again = (delivery: Delivery, options: object = {}, work = insert): Promise<unknown> =>
    session.guarded?.((tx) => work(tx, `${delivery.gid} ${delivery.op}`), options) ??
    session.transaction((tx) => session.barrier.run(tx, () => work(tx, `${delivery.gid} ${delivery.op}`), options));
  const ran = (result: unknown): boolean => (result as RunResult<unknown>).ran;
  const newGid = (): string => `matrix-${randomUUID()}`;

  test("a first call runs, and its rows are those of dtm's SDKs", async () => {
    const gid = newGid();
    expect(ran(await guarded({ gid, op: "action" }))).toBe(true);
    expect(await effects(`${gid} action`)).toBe(1);
    expect(await rowsOf(gid)).toEqual(["01 action 01 action saga"]);
  });

  test("a duplicate is skipped", async () => {
    const gid = newGid();
    await guarded({ gid, op: "action" });
    expect(await guarded({ gid, op: "action" })).toEqual({ ran: false, verdict: "skip" });
    expect(await effects(`${gid} action`)).toBe(1);
  });

  test("an undo runs once after its origin", async () => {
    for (const [op, undo] of [
      ["action", "compensate"],
      ["try", "cancel"],
      ["action", "rollback"],
    ] as const) {
      const gid = newGid();
      await guarded({ gid, op });
      expect(ran(await guarded({ gid, op: undo }))).toBe(true);
      expect(ran(await guarded({ gid, op: undo }))).toBe(false);
      expect(await effects(`${gid} ${undo}`)).toBe(1);
      expect(await rowsOf(gid)).toEqual([`01 ${op} 01 ${op} saga`, `01 ${undo} 01 ${undo} saga`]);
    }
  });

  test("an empty compensation does nothing, and the action that arrives after it neither", async () => {
    const gid = newGid();
    expect(await guarded({ gid, op: "compensate" })).toEqual({ ran: false, verdict: "skip" });
    expect(await rowsOf(gid)).toEqual(["01 action 01 compensate saga", "01 compensate 01 compensate saga"]);
    expect(await guarded({ gid, op: "action" })).toEqual({ ran: false, verdict: "skip" });
    expect(await guarded({ gid, op: "compensate" })).toEqual({ ran: false, verdict: "skip" });
    expect((await effects(`${gid} action`)) + (await effects(`${gid} compensate`))).toBe(0);
  });

  test(`${CONCURRENT} duplicates at once have one effect`, async () => {
    const gid = newGid();
    const results = await Promise.all(Array.from({ length: CONCURRENT }, () => guarded({ gid, op: "action" })));
    expect(results.filter(ran)).toHaveLength(1);
    expect(await effects(`${gid} action`)).toBe(1);
  });

  test("an error of the work is reported as it is and rolled back, and a repeat runs", async () => {
    const gid = newGid();
    const boom = new Error("the user's own");
    const failing = (tx: unknown, key: string): unknown =>
      after(insert(tx, key), () => {
        throw boom;
      });
    await expect(guarded({ gid, op: "action" }, {}, failing)).rejects.toBe(boom);
    expect(await effects(`${gid} action`)).toBe(0);
    expect(await rowsOf(gid)).toEqual([]);
    expect(ran(await guarded({ gid, op: "action" }))).toBe(true);
    expect(await effects(`${gid} action`)).toBe(1);
  });

  test("gids that differ only by a space at the end are two, or refused", async () => {
    const gid = newGid();
    expect(ran(await guarded({ gid, op: "action" }))).toBe(true);
    const other = guarded({ gid: `${gid} `, op: "action" });
    if (bed.on === "mysql") await expect(other).rejects.toMatchObject({ code: "BRANCH_INVALID" });
    else expect(ran(await other)).toBe(true);
  });

  test("a second local transaction has an id of its own, and the same id twice is refused", async () => {
    const gid = newGid();
    const delivery = { gid, op: "action" };
    const both = (): Promise<boolean[]> =>
      runInBranch(call(delivery), async () => [ran(await again(delivery)), ran(await again(delivery, { id: 2 }))]);
    expect(await both()).toEqual([true, true]);
    expect(await both()).toEqual([false, false]);
    expect(await rowsOf(gid)).toEqual(["01 action 01 action saga", "01 action 02 action saga"]);
    for (const other of [newGid(), gid]) {
      const twice = runInBranch(call({ gid: other, op: "action" }), async () => {
        await again({ gid: other, op: "action" });
        await again({ gid: other, op: "action" });
      });
      await expect(twice).rejects.toMatchObject({ code: "BARRIER_ID_REUSED" });
    }
  });

  if (bed.on === "sqlite") {
    test("a locked database is reported, and the retried call runs once", async () => {
      const gid = newGid();
      const holder = new SqliteProcess(database.name);
      await holder.run("begin immediate");
      await runInBranch(call({ gid, op: "action" }), async () => {
        await expect(again({ gid, op: "action" })).rejects.toThrow(/lock|busy|timed? ?out|timeout|P1008/i);
        await holder.run("rollback");
        await finishLockedStatements();
        expect(ran(await again({ gid, op: "action" }))).toBe(true);
      });
      await holder.close();
      expect(await effects(`${gid} action`)).toBe(1);
    });
  } else {
    test("a deadlock is reported, and the retried call runs once", async () => {
      const [one, two] = [newGid(), newGid()];
      for (const id of [one, two]) await database.read(`insert into account (id, n) values ('${id}', 0)`);
      let holding = 0;
      const crossing = (first: string, second: string) => async (tx: unknown, key: string) => {
        await session.exec(tx, `update account set n = n + 1 where id = '${first}'`);
        holding++;
        await until(() => holding >= 2);
        await session.exec(tx, `update account set n = n + 1 where id = '${second}'`);
        await insert(tx, key);
      };
      const errors: unknown[] = [];
      /** As a handler does that retries its local transaction itself, in the same branch call. */
      const retrying = (gid: string, other: string): Promise<unknown> =>
        runInBranch(call({ gid, op: "action" }), async () => {
          for (;;) {
            try {
              return await again({ gid, op: "action" }, {}, crossing(gid, other));
            } catch (cause) {
              errors.push(cause);
              if (errors.length > 9) throw cause;
            }
          }
        });
      const results = await Promise.all([retrying(one, two), retrying(two, one)]);
      expect(results.map(ran)).toEqual([true, true]);
      // More than one when the victim's next attempt gets its row again before the other one has woken up.
      expect(errors.length).toBeGreaterThan(0);
      for (const cause of errors) expect(textOf(cause)).toMatch(/deadlock/i);
      expect([await effects(`${one} action`), await effects(`${two} action`)]).toEqual([1, 1]);
      expect(await database.read(`select n from account where id in ('${one}', '${two}')`)).toEqual([{ n: 2 }, { n: 2 }]);
    });
  }

  test("what isn't an open transaction is refused, and nothing is left", async () => {
    const gid = newGid();
    const worked = jest.fn();
    const refused = (tx: unknown): Promise<unknown> =>
      runInBranch(call({ gid, op: "compensate" }), async () => session.barrier.run(tx, worked));
    if (session.pool !== null) await expect(refused(session.pool)).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
    if (session.idle !== null) {
      await session.idle(async (connection) => {
        await expect(refused(connection)).rejects.toMatchObject({ code: "NOT_A_TRANSACTION" });
      });
    }
    for (const wrong of [foreign.tx, undefined, null, {}, "tx"]) {
      await expect(refused(wrong)).rejects.toMatchObject({ code: "WRONG_DRIVER" });
    }
    expect(worked).not.toHaveBeenCalled();
    expect(await rowsOf(gid)).toEqual([]);
  });

  test("a missing table is named, with the helper that creates it", async () => {
    const error = await caught(guarded({ gid: newGid(), op: "action" }, { table: "barrier_that_is_missing" }));
    expect(error).toMatchObject({ code: "BARRIER_TABLE_MISSING" });
    expect(textOf(error)).toContain("barrier.createTable");
  });

  test("outside a branch call nothing is done", async () => {
    await expect(session.transaction((tx) => session.barrier.run(tx, () => undefined))).rejects.toMatchObject({
      code: "NOT_IN_BRANCH",
    });
  });

  const ask = (gid: string): Promise<unknown> =>
    runInBranch(call({ gid, op: "msg", type: "msg" }), async () => session.barrier.queryPrepared(session.db));

  /** What comes of the question, however often it is asked, as a coordinator does. */
  const answered = async (gid: string): Promise<unknown> => {
    for (;;) {
      const answer = await caught(ask(gid));
      if (!(answer instanceof Ongoing)) return answer;
    }
  };

  test("queryPrepared before the local transaction: it was not committed, and never will be", async () => {
    const gid = newGid();
    await expect(ask(gid)).rejects.toMatchObject({ code: "FAILURE" });
    await expect(guarded({ gid, op: "msg", type: "msg" })).rejects.toMatchObject({ code: "DUPLICATED" });
    await expect(ask(gid)).rejects.toMatchObject({ code: "FAILURE" });
    expect(await effects(`${gid} msg`)).toBe(0);
    expect(await rowsOf(gid)).toEqual(["00 msg 01 rollback msg"]);
  });

  test("queryPrepared after the local transaction: it was committed", async () => {
    const gid = newGid();
    expect(ran(await guarded({ gid, op: "msg", type: "msg" }))).toBe(true);
    await ask(gid);
    await ask(gid);
    await expect(guarded({ gid, op: "msg", type: "msg" })).rejects.toMatchObject({ code: "DUPLICATED" });
    expect(await effects(`${gid} msg`)).toBe(1);
  });

  if (bed.on === "sqlite") {
    test("queryPrepared while a transaction writes: no answer, rather than a wrong one", async () => {
      const gid = newGid();
      const holder = new SqliteProcess(database.name);
      await holder.run("begin immediate");
      // The text only: V8 keeps an error's frames, and what they hold, until its stack is read.
      const text = textOf(await caught(ask(gid)));
      await holder.run("rollback");
      await holder.close();
      await finishLockedStatements();
      expect(text).toMatch(/lock|busy|timed? ?out|timeout|P1008/i);
      expect(await rowsOf(gid)).toEqual([]);
    });
  } else {
    for (const end of ["commit", "roll back"] as const) {
      test(`queryPrepared while the local transaction is open waits for it to ${end}`, async () => {
        const gid = newGid();
        let asked: Promise<unknown> = Promise.resolve();
        const stop = new Error("rolled back");
        const local = guarded({ gid, op: "msg", type: "msg" }, {}, async (tx, key) => {
          await insert(tx, key);
          asked = answered(gid);
          await until(async () => (await database.waiting()) > 0);
          if (end === "roll back") throw stop;
        });
        if (end === "roll back") await expect(local).rejects.toBe(stop);
        else await local;
        const answer = await asked;
        if (end === "commit") expect(answer).toBeUndefined();
        else expect(answer).toMatchObject({ code: "FAILURE" });
        expect(await effects(`${gid} msg`)).toBe(end === "commit" ? 1 : 0);
      });
    }
  }

  if (bed.on === "postgres") {
    test("queryPrepared gives up before the coordinator does, and knows nothing then", async () => {
      const gid = newGid();
      let answer: unknown;
      await guarded({ gid, op: "msg", type: "msg" }, {}, async (tx, key) => {
        await insert(tx, key);
        answer = await caught(ask(gid));
      });
      expect(answer).toMatchObject({ code: "ONGOING" });
      await ask(gid);
      expect(await rowsOf(gid)).toEqual(["00 msg 01 msg msg"]);
    });
  }

  test("queryPrepared inside a transaction is refused", async () => {
    const gid = newGid();
    const inside = runInBranch(call({ gid, op: "msg", type: "msg" }), () =>
      session.transaction((tx) => session.barrier.queryPrepared(tx)),
    );
    await expect(inside).rejects.toMatchObject({ code: "TRANSACTION_OPEN" });
    expect(await rowsOf(gid)).toEqual([]);
  });

  if (bed.sync) {
    test("work that returns a promise is refused and rolled back", async () => {
      const gid = newGid();
      const late = (tx: unknown, key: string): unknown => {
        insert(tx, key);
        return Promise.reject(new Error("nobody awaits this"));
      };
      await expect(guarded({ gid, op: "action" }, {}, late)).rejects.toMatchObject({ code: "WORK_IS_ASYNC" });
      expect([await effects(`${gid} action`), await rowsOf(gid)]).toEqual([0, []]);
    });

    test("an async function isn't called: what it does after its first await would be outside the transaction", async () => {
      const gid = newGid();
      const work = jest.fn();
      const late = async (): Promise<void> => {
        work();
      };
      const run = (): unknown => session.transaction((tx) => session.barrier.run(tx, late));
      await expect(runInBranch(call({ gid, op: "action" }), async () => run())).rejects.toMatchObject({ code: "WORK_IS_ASYNC" });
      expect([work.mock.calls.length, await effects(`${gid} action`), await rowsOf(gid)]).toEqual([0, 0, []]);
    });
  }

  test("the table is created by several at once, and clean-up keeps branches together", async () => {
    const own = bed.on === "postgres" ? "made.barrier" : "barrier_made";
    await Promise.all([1, 2, 3, 4].map(() => session.barrier.createTable(session.db, { table: own })));
    const day = (days: number): string =>
      ({
        postgres: `now() - interval '${days} days'`,
        mysql: `now() - interval ${days} day`,
        sqlite: `datetime('now', '-${days} days')`,
      })[bed.on];
    const row = (gid: string, op: string, days: number): string =>
      `('saga', '${gid}', '01', '${op}', '01', '${op}', ${day(days)})`;
    const list = [row("young-undo", "action", 40), row("young-undo", "compensate", 20), row("young", "action", 3)];
    for (let i = 0; i < 25; i++) list.push(row(`old-${i}`, "action", 50), row(`old-${i}`, "compensate", 31));
    await database.read(
      `insert into ${own} (trans_type, gid, branch_id, op, barrier_id, reason, create_time) values ${list.join(", ")}`,
    );
    expect(await session.barrier.cleanUp(session.db, { table: own, batch: 7 })).toEqual({ deleted: 50 });
    const left = await database.read(`select gid, op from ${own} order by gid, op`);
    expect(left.map((found) => Object.values(found).join(" "))).toEqual([
      "young action",
      "young-undo action",
      "young-undo compensate",
    ]);
    expect(await session.barrier.cleanUp(session.db, { table: own, olderThanDays: 19 })).toEqual({ deleted: 2 });
    await expect((async () => session.barrier.cleanUp(session.db, { olderThanDays: 0 }))()).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
}

/** A real transaction object of another driver. */
function foreignTransaction(bed: Bed): { tx: unknown; close(): void } {
  if (bed.name === SQLITE_DRIVER) return { tx: new pg.Client(), close: () => undefined };
  const other = new Sqlite(":memory:");
  other.exec("begin");
  return { tx: other, close: () => other.close() };
}

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
}

/** The message of an error and of all that it wraps: ORMs put theirs around the driver's. */
function textOf(cause: unknown, depth = 0): string {
  if (typeof cause !== "object" || cause === null || depth > 5) return String(cause);
  const own = cause instanceof Error ? `${cause.message} ${cause.stack}` : "";
  const more = ["cause", "original", "driverError", "meta", "driverAdapterError", "code"].map((key) => Reflect.get(cause, key));
  return [own, ...more.map((value) => (value === undefined ? "" : textOf(value, depth + 1)))].join(" ");
}
