/** TypeORM has one connection for all that a DataSource of SQLite does, so transactions at the same time are savepoints of each other. */
import { randomUUID } from "node:crypto";
import { DataSource, type EntityManager } from "typeorm";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier } from "../../src/typeorm.js";
import { type Database, openDatabase } from "../kit/databases.js";

let database: Database;
let source: DataSource;

beforeAll(async () => {
  database = await openDatabase("sqlite");
  source = await new DataSource({
    type: "better-sqlite3",
    database: database.name,
    statementCacheSize: 0,
    timeout: 100,
  }).initialize();
  await barrier.createTable(source);
});
afterAll(async () => {
  await source?.destroy();
  await database?.drop();
});

/** A door that somebody opens. */
function door(): { open(): void; readonly opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const inBranch = <T>(gid: string, work: () => Promise<T>): Promise<T> =>
  runInBranch(new BranchCall({ gid, transType: "saga", branchId: "01", op: "action" }), work);
const effectOf = (manager: EntityManager, gid: string): Promise<unknown> =>
  manager.query("insert into effect (k) values (?)", [gid]);
const state = async (gid: string): Promise<{ rows: number; effects: number }> => ({
  rows: (await database.read(`select 1 from barrier where gid = '${gid}'`)).length,
  effects: (await database.read(`select 1 from effect where k = '${gid}'`)).length,
});
const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "success",
    (cause: unknown) => cause,
  );
const SAVEPOINT = expect.objectContaining({
  code: "NOT_A_TRANSACTION",
  message: expect.stringContaining("one transaction at a time"),
});

test("a transaction that came into another one is refused, and neither is told a success that isn't one", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const [working, goOn] = [door(), door()];
  const one = settled(
    inBranch(first, () =>
      source.transaction((manager) =>
        barrier.run(manager, async () => {
          working.open();
          await goOn.opened;
          await effectOf(manager, first);
        }),
      ),
    ),
  );
  await working.opened;
  const two = settled(
    inBranch(second, () => source.transaction((manager) => barrier.run(manager, () => effectOf(manager, second)))),
  );
  expect(await two).toEqual(SAVEPOINT);
  expect(await state(second)).toEqual({ rows: 0, effects: 0 });
  goOn.open();
  expect(await one).toBe("success");
  expect(await state(first)).toEqual({ rows: 1, effects: 1 });
});

test("work that ends while another transaction is a savepoint of its own isn't a success, and what it did is rolled back", async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  const [working, goOn, joined, leave] = [door(), door(), door(), door()];
  const one = settled(
    inBranch(first, () =>
      source.transaction((manager) =>
        barrier.run(manager, async () => {
          await effectOf(manager, first);
          working.open();
          await goOn.opened;
        }),
      ),
    ),
  );
  await working.opened;
  const two = settled(
    inBranch(second, () =>
      source.transaction(async (manager) => {
        joined.open();
        await leave.opened;
        // The other one has ended by now, so that this looks like a transaction by itself.
        await barrier.run(manager, () => effectOf(manager, second));
      }),
    ),
  );
  await joined.opened;
  goOn.open();
  expect(await one).toEqual(SAVEPOINT);
  leave.open();
  expect(await two).toEqual(SAVEPOINT);
  for (const gid of [first, second]) expect(await state(gid)).toEqual({ rows: 0, effects: 0 });
  // The next one is by itself again.
  expect(
    await settled(inBranch(second, () => source.transaction((manager) => barrier.run(manager, () => effectOf(manager, second))))),
  ).toBe("success");
  expect(await state(second)).toEqual({ rows: 1, effects: 1 });
});

test("a transaction of one's own inside the work is allowed, a guarded one isn't", async () => {
  const [outer, inner] = [randomUUID(), randomUUID()];
  const run = inBranch(outer, () =>
    source.transaction((manager) => barrier.run(manager, () => manager.transaction((nested) => effectOf(nested, outer)))),
  );
  expect(await settled(run)).toBe("success");
  expect(await state(outer)).toEqual({ rows: 1, effects: 1 });
  const nested = source.transaction((manager) =>
    manager.transaction((deeper) => inBranch(inner, () => barrier.run(deeper, () => effectOf(deeper, inner)))),
  );
  expect(await settled(nested)).toEqual(SAVEPOINT);
  expect(await state(inner)).toEqual({ rows: 0, effects: 0 });
});

test("what must be durable at once is refused while a transaction is open on the DataSource", async () => {
  const gid = randomUUID();
  const message = new BranchCall({ gid, transType: "msg", branchId: "00", op: "msg" });
  await source.transaction(async () => {
    for (const db of [source, source.manager]) {
      const open = expect.objectContaining({ code: "TRANSACTION_OPEN" });
      expect(await settled(runInBranch(message, () => barrier.queryPrepared(db)))).toEqual(open);
      expect(await settled(barrier.createTable(db, { table: "other" }))).toEqual(open);
      expect(await settled(barrier.cleanUp(db))).toEqual(open);
    }
  });
  expect(await state(gid)).toEqual({ rows: 0, effects: 0 });
  expect(await settled(runInBranch(message, () => barrier.queryPrepared(source)))).toMatchObject({ code: "FAILURE" });
});

test.each(["cockroachdb", "aurora-mysql", "aurora-postgres", "mssql"])(
  "a DataSource of %s is refused with the types that aren't",
  async (type) => {
    const other = Object.create(source, { options: { value: { type } } });
    expect(await settled(barrier.createTable(other))).toEqual(
      expect.objectContaining({ code: "WRONG_DRIVER", message: expect.stringContaining(`or sqljs, found type ${type}`) }),
    );
  },
);
