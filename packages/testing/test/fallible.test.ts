import { noCompensation } from "@dtm/client-core";
import { fallibleIn } from "../src/fallible.js";
import { faultMatrix, InvariantBroken, type Kit, type Run } from "../src/index.js";

interface Db {
  readonly account: { debit(): Promise<void>; mark(gid: string): Promise<void> };
}

/** Pays, and remembers it in a step of its own: a crash between the two, or a second call, pays twice. */
function openBank(kit: Kit) {
  const state = { paid: 0, done: new Set<string>() };
  const db: Db = kit.fallible({
    account: {
      debit: async () => {
        state.paid += 30;
      },
      mark: async (gid) => void state.done.add(gid),
    },
  });
  const debit = async (gid: string): Promise<void> => {
    if (state.done.has(gid)) return;
    await db.account.debit();
    await db.account.mark(gid);
  };
  kit.serve("http://bank", ({ url = "" }, response) => {
    void debit(new URL(url, "http://bank").searchParams.get("gid") ?? "").then(() => void response.end("{}"));
  });
  return state;
}

test("what goes wrong between two calls of a delegate is found", async () => {
  const run = (kit: Kit) => kit.client.saga().step({ action: "http://bank/debit", compensate: noCompensation() }).submit();
  const options = { invariant: ({ state }: Run<{ paid: number }>) => state.paid <= 30 };
  await expect(faultMatrix({ setup: openBank, run }, options)).rejects.toThrow(InvariantBroken);
  const seed = "crash-after@g1/01.action io#1";
  await expect(faultMatrix({ setup: openBank, run }, { ...options, seed })).rejects.toThrow(InvariantBroken);
});

describe("what is given is the same object", () => {
  let steps = 0;
  const fallible = fallibleIn(async (work) => {
    steps++;
    return work();
  });
  beforeEach(() => {
    steps = 0;
  });

  class Account {
    #balance = 100;
    limit = { most: 50 };
    async debit(amount: number): Promise<number> {
      this.#balance -= amount;
      return this.#left();
    }
    get balance(): number {
      return this.#balance;
    }
    set balance(balance: number) {
      this.#balance = balance;
    }
    async #left(): Promise<number> {
      return this.#balance;
    }
  }

  class Db {
    readonly #account = new Account();
    readonly models = { account: new Account() };
    readonly self = this;
    get account(): Account {
      return this.#account;
    }
    async debitTwice(): Promise<number> {
      await this.account.debit(1);
      return this.account.debit(1);
    }
  }

  test("methods, getters and setters find its private fields, also behind getters and further down", async () => {
    const db = fallible(new Db());
    expect(await db.account.debit(30)).toBe(70);
    expect(await db.models.account.debit(10)).toBe(90);
    expect(steps).toBe(2);
    db.account.balance = 5;
    expect(db.account.balance).toBe(5);
    // What it calls of its own is a part of the step.
    expect(await db.debitTwice()).toBe(3);
    expect(steps).toBe(3);
  });

  test("each object is wrapped once", async () => {
    const db = fallible(new Db());
    expect(db.account).toBe(db.account);
    expect(db.self).toBe(db);
    expect(db).toBeInstanceOf(Db);
    expect(await fallible({ db }).db.account.debit(1)).toBe(99);
    expect(steps).toBe(1);
  });

  test("data, and the language's own objects, stay as they are", async () => {
    const account = new Account();
    const held = {
      limit: account.limit,
      frozen: Object.freeze({ rows: Object.freeze({ one: 1 }) }),
      rows: [account],
      opened: new Date(0),
      ready: Promise.resolve(1),
      // biome-ignore lint/suspicious/noThenProperty: Prisma's and Knex's promises are such objects.
      lazy: { then: (tell: (value: number) => void) => tell(2) },
      key: Buffer.from("k"),
      known: new Map([["a", 1]]),
      error: new Error("e"),
    };
    const db = fallible(held);
    for (const name of Object.keys(held)) expect(Reflect.get(db, name)).toBe(Reflect.get(held, name));
    expect([await db.ready, await db.lazy, db.opened.getTime(), db.known.get("a")]).toEqual([1, 2, 0, 1]);
    expect(steps).toBe(0);
  });

  test("a delegate as Prisma makes them: a proxy whose descriptors have no values", async () => {
    const update = async (): Promise<string> => "updated";
    const account = new Proxy({} as { update: typeof update }, {
      get: (_, name) => (name === "update" ? update : undefined),
      ownKeys: () => ["update"],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, writable: true }),
    });
    expect(await fallible({ account }).account.update()).toBe("updated");
    expect(steps).toBe(1);
  });
});
