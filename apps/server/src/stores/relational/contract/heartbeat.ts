/** A node that is well must not be taken for dead, whatever else waits for the database (rules.md R2). */
import { until } from "../../../../test/e2e/kit/until.js";
import { NOW, saga, tcc } from "../../contract/fixtures.js";
import { type Store, StoreUnavailable } from "../../store.js";

export interface LockableDatabase {
  /** With one reader. */
  readonly open: () => Promise<Store>;
  /** Nobody else can read or write this table until the returned function is called. */
  readonly lock: (table: "trans_global" | "dtm_node") => Promise<() => Promise<void>>;
  /** Whether somebody waits for a locked table. */
  readonly isWaitedFor: () => Promise<boolean>;
  readonly dispose: () => Promise<void>;
}

const LEASE_MS = 3_000;
const LONG = 600_000;

export function heartbeatContract(name: string, make: () => Promise<LockableDatabase>): void {
  describe(`the heartbeat on ${name}`, () => {
    let database: LockableDatabase;
    let store: Store;
    beforeAll(async () => {
      database = await make();
      store = await database.open();
      await store.heartbeat("here", LONG);
    }, 120_000);
    afterAll(async () => {
      await store?.close();
      await database?.dispose();
    }, 120_000);

    test("waits for no reader, and for no lane", async () => {
      const given = saga();
      const { gid } = given.transaction;
      await store.create(given);
      const unlock = await database.lock("trans_global");
      const waiting = [store.find(gid), store.find(gid), store.nudge(gid, NOW)];
      const begin = performance.now();
      expect(await store.heartbeat("here", LEASE_MS)).toBe(true);
      expect(performance.now() - begin).toBeLessThan(LEASE_MS / 2);
      await unlock();
      await Promise.all(waiting);
    }, 120_000);

    test("waits for no batch that holds up, though the lease that it gives is judged by it", async () => {
      const prepared = tcc();
      await store.create(prepared);
      const unlock = await database.lock("trans_global");
      const submitted = { ...prepared.transaction, status: "submitted", submitTime: NOW, owner: "here:1" } as const;
      const submitting = store.submit({ transaction: submitted, branches: [] });
      const atTheTable = async () => ((await database.isWaitedFor()) ? true : undefined);
      try {
        await until("the batch waits for the table", atTheTable, { withinMs: 10_000, everyMs: 20 });
        // It is given up before its lease ends.
        expect(await store.heartbeat("here", LEASE_MS)).toBe(true);
      } finally {
        await unlock();
      }
      expect(await submitting).toMatchObject({ kind: "moved", leased: true });
    }, 120_000);

    test("that gets no answer says so in time for another one, which is on a new connection", async () => {
      const unlock = await database.lock("dtm_node");
      const begin = performance.now();
      await expect(store.heartbeat("here", LEASE_MS)).rejects.toThrow(StoreUnavailable);
      expect(performance.now() - begin).toBeLessThan(LEASE_MS);
      await unlock();
      expect(await store.heartbeat("here", LONG)).toBe(true);
    }, 120_000);
  });
}
