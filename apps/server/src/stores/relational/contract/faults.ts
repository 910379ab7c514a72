/**
 * What a lost connection must not do to what was asked (rules.md R7): nothing acknowledged is missing, nothing happens twice. A nudge
 * that ran twice raises `wake` twice, a create that ran twice is told "exists", a registration that ran twice is a "duplicate".
 */
import { until } from "../../../../test/e2e/kit/until.js";
import { CuttingProxy, type Loss } from "../../../../test/kit/cutting-proxy.js";
import { branch, gidsOf, NOW, newGid, SECOND, saga, storedTransaction, tcc } from "../../contract/fixtures.js";
import { type Store, StoreUnavailable } from "../../store.js";

export interface FaultyDatabase {
  /** Where the database listens. */
  readonly target: { readonly host: string; readonly port: number };
  /** Whether these bytes from the client ask for a commit. */
  readonly isCommit: (data: Buffer) => boolean;
  /** Over the proxy at `port`, or straight. */
  readonly open: (port: number | null, patienceMs: number) => Promise<Store>;
  /** Ends every connection of the stores; returns how many. */
  readonly killConnections: () => Promise<number>;
  readonly dispose: () => Promise<void>;
}

/** On a starved machine a connection may take long; what is shown here holds however long it takes. */
const PATIENT_MS = 60_000;
const IMPATIENT_MS = 500;
/** Longer than a server waits for one that is halted. */
const OTHERS_MS = 12_000;

export function faultsContract(name: string, make: () => Promise<FaultyDatabase>): void {
  describe(`${name}, with connections cut`, () => {
    let database: FaultyDatabase;
    let proxy: CuttingProxy;
    let store: Store;
    let port: number;

    beforeAll(async () => {
      database = await make();
      proxy = new CuttingProxy(database.target, database.isCommit);
      port = await proxy.listen();
      store = await database.open(port, PATIENT_MS);
      await store.heartbeat("here", 3_600_000);
    }, 120_000);
    afterAll(async () => {
      await store?.close();
      await proxy?.close();
      await database?.dispose();
    }, 120_000);

    test.each<Loss>(["request", "reply", "late"])(
      "a COMMIT whose %s is lost happens once, and is answered",
      async (loss) => {
        const prepared = tcc();
        const { gid } = prepared.transaction;
        await store.create(prepared);
        const fresh = Array.from({ length: 20 }, () => saga());
        const due = saga({ nextCronTime: NOW - SECOND });
        await store.create(due);
        const lost = proxy.lost;
        proxy.loseNext(loss);
        // The first is a batch alone; what follows is the next one, behind it.
        const owner = `here:${loss}`;
        const answers = await Promise.all([
          store.nudge(gid, NOW),
          store.nudge(gid, NOW),
          store.registerBranches(gid, [branch(gid, "01", "confirm")]),
          store.claimDue({ owner, limit: 1, now: NOW - SECOND }),
          ...fresh.map((one) => store.create(one)),
        ]);
        expect(proxy.lost).toBe(lost + 1);
        expect(answers.slice(0, 3)).toEqual([true, true, "registered"]);
        expect(answers[3]).toMatchObject({ claimed: [{ transaction: { gid: due.transaction.gid, owner } }] });
        expect(answers.slice(4)).toEqual(fresh.map(() => ({ kind: "created" })));
        expect((await storedTransaction(store, gid)).wake).toBe(2);
        expect((await store.find(gid))?.branches).toHaveLength(1);
        expect(gidsOf(await store.ownedBy(owner))).toEqual([due.transaction.gid]);
        for (const one of fresh) expect((await store.find(one.transaction.gid))?.branches).toHaveLength(4);
      },
      120_000,
    );

    test("a node that is halted in the middle of a batch doesn't hold the rows from others", async () => {
      const prepared = tcc();
      const { gid } = prepared.transaction;
      await store.create(prepared);
      const other = await database.open(null, OTHERS_MS);
      const lost = proxy.lost;
      proxy.loseNext("halt");
      const halted = store.nudge(gid, NOW);
      await until("the batch is about to commit", async () => (proxy.lost > lost ? true : undefined), { withinMs: 10_000 });
      try {
        expect(await other.nudge(gid, NOW)).toBe(true);
        expect(await halted).toBe(true);
        expect((await storedTransaction(store, gid)).wake).toBe(2);
      } finally {
        await other.close();
      }
    }, 120_000);

    test("a database that is away for a moment only makes its callers wait", async () => {
      const given = saga();
      const { gid } = given.transaction;
      await store.create(given);
      proxy.leave();
      const asked = [store.nudge(gid, NOW), store.nudge(gid, NOW), store.find(gid)];
      await new Promise((wake) => setTimeout(wake, 1_000));
      proxy.comeBack();
      expect((await Promise.all(asked)).map(Boolean)).toEqual([true, true, true]);
      expect((await storedTransaction(store, gid)).wake).toBe(2);
    }, 120_000);

    test("one that stays away is said to be, and found again when it is back", async () => {
      const impatient = await database.open(port, IMPATIENT_MS);
      const given = saga();
      const { gid } = given.transaction;
      await store.create(given);
      proxy.leave();
      const asked = [impatient.nudge(gid, NOW), impatient.find(gid), impatient.ping(), impatient.heartbeat("here", 1)];
      const refused = await Promise.allSettled(asked);
      for (const answer of refused) expect(answer).toMatchObject({ status: "rejected", reason: { name: "StoreUnavailable" } });
      proxy.comeBack();
      let back = false;
      while (!back) back = await impatient.nudge(gid, NOW).catch(() => false);
      expect((await storedTransaction(store, gid)).wake).toBeGreaterThan(0);
      expect(await store.heartbeat("here", 3_600_000)).toBe(true);
      await impatient.close();
    }, 120_000);

    test("connections killed again and again under load: nothing lost, nothing doubled", async () => {
      const straight = await database.open(null, PATIENT_MS);
      const workers = Array.from({ length: 12 }, () => new Worker(straight));
      let killed = 0;
      let working = true;
      const worked = Promise.all(workers.map((worker) => worker.run(() => working)));
      for (let round = 0; round < 15; round++) {
        const asked = total(workers);
        // Each kill meets a load that went on since the one before.
        while (total(workers) < asked + 20) await new Promise((wake) => setTimeout(wake, 5));
        killed += await database.killConnections();
      }
      working = false;
      await worked;
      expect(killed).toBeGreaterThan(0);
      expect(workers.flatMap((worker) => worker.unexpected)).toEqual([]);
      for (const worker of workers) {
        for (const [gid, nudges] of worker.nudged)
          expect({ gid, wake: (await storedTransaction(straight, gid)).wake }).toEqual({ gid, wake: nudges });
      }
      await straight.close();
    }, 300_000);
  });
}

function total(workers: readonly Worker[]): number {
  return workers.reduce((sum, worker) => sum + worker.asked, 0);
}

/** Creates, nudges and ends transactions of its own, and knows what each must have come to. */
class Worker {
  asked = 0;
  readonly nudged = new Map<string, number>();
  readonly unexpected: string[] = [];

  constructor(private readonly store: Store) {}

  async run(working: () => boolean): Promise<void> {
    for (let made = 0; working(); made++) {
      const gid = newGid();
      const owner = `here:${gid}`;
      await this.#expect("created", async () => (await this.store.create(saga({ gid, owner }))).kind);
      for (let nudge = 1; nudge <= 3; nudge++) {
        await this.#expect(true, () => this.store.nudge(gid, NOW));
        this.nudged.set(gid, nudge);
      }
      if (made % 2 === 0) continue;
      const end = { owner, status: "submitted", to: "succeed", at: NOW, results: [] } as const;
      await this.#expect("moved", async () => (await this.store.move(gid, end)).kind);
    }
  }

  async #expect<T>(wanted: T, ask: () => Promise<T>): Promise<void> {
    this.asked++;
    try {
      const got = await ask();
      if (got !== wanted) this.unexpected.push(`expected ${String(wanted)}, found ${String(got)}`);
    } catch (cause) {
      const kind = cause instanceof StoreUnavailable ? "unavailable" : "broken";
      this.unexpected.push(`${kind}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
}
