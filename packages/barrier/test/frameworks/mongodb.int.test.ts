import { randomBytes } from "node:crypto";
import { type Branch, Failure } from "@dtm/protocol";
import { MongoClient } from "mongodb";
import { barrier, type MongoClientLike, type MongoSessionLike } from "../../src/mongodb.js";
import { withServerIfAny } from "../kit/with-server.js";
import { FakeMongo } from "./fake-mongodb.js";

/** A replica set. */
const URL_GIVEN = process.env["DTM_TEST_MONGODB"] ?? "";
const code = (expected: string) => expect.objectContaining({ code: expected });

interface Bed {
  readonly client: MongoClientLike;
  transaction<T>(work: (session: MongoSessionLike) => Promise<T>): Promise<T>;
  /** In the transaction of `session`. */
  add(session: MongoSessionLike, amount: number): Promise<unknown>;
  balance(): Promise<number>;
  close(): Promise<void>;
}

const NAME = `dtm_${randomBytes(6).toString("hex")}`;
const COLLECTION = `${NAME}.barrier`;

async function fakeBed(): Promise<Bed> {
  const client = new FakeMongo();
  const account: Record<string, unknown> = { balance: 100 };
  client.documents(`${NAME}.account`).push(account);
  const first = () => client.documents(`${NAME}.account`)[0] ?? {};
  return {
    client,
    async transaction(work) {
      const session = client.startSession();
      return session.withTransaction(() => work(session));
    },
    async add(_, amount) {
      first()["balance"] = Number(first()["balance"]) + amount;
    },
    balance: async () => Number(first()["balance"]),
    close: async () => undefined,
  };
}

async function realBed(): Promise<Bed> {
  const client = await new MongoClient(URL_GIVEN).connect();
  const accounts = client.db(NAME).collection<{ _id: number; balance: number }>("account");
  await accounts.insertOne({ _id: 1, balance: 100 });
  const sessions = new Map<MongoSessionLike, Parameters<typeof accounts.updateOne>[2]>();
  return {
    client,
    transaction: (work) =>
      client.withSession((session) => {
        sessions.set(session, { session });
        return session.withTransaction(() => work(session));
      }),
    add: (session, amount) => accounts.updateOne({ _id: 1 }, { $inc: { balance: amount } }, sessions.get(session)),
    balance: async () => (await accounts.findOne({ _id: 1 }))?.balance ?? Number.NaN,
    async close() {
      await client.db(NAME).dropDatabase();
      await client.close();
    },
  };
}

describe("the barrier of MongoDB, on a stand-in", () => suite(fakeBed));

withServerIfAny({ name: "MongoDB", variable: "DTM_TEST_MONGODB" }, () => {
  describe("the barrier of MongoDB", () => {
    suite(realBed);

    test("64 deliveries at once have one effect", async () => {
      const bed = await realBed();
      await barrier.createCollection(bed.client, { collection: COLLECTION });
      const gid = randomBytes(8).toString("hex");
      const deliver = () => {
        const branch: Branch = { gid, branchId: "01", op: "action", transType: "saga" };
        return bed.transaction((session) => barrier.run(session, () => bed.add(session, 1), { branch, collection: COLLECTION }));
      };
      await Promise.allSettled(Array.from({ length: 64 }, deliver));
      await deliver();
      expect(await bed.balance()).toBe(101);
      await bed.close();
    });

    test("queryPrepared waits for the local transaction, and no longer than it is told", async () => {
      const bed = await realBed();
      await barrier.createCollection(bed.client, { collection: COLLECTION });
      const branch: Branch = { gid: randomBytes(8).toString("hex"), branchId: "00", op: "msg", transType: "msg" };
      const ask = () => barrier.queryPrepared(bed.client, { branch, collection: COLLECTION, maxWaitMs: 200 });
      await bed.transaction(async (session) => {
        await barrier.run(session, () => bed.add(session, 1), { branch: { ...branch }, collection: COLLECTION });
        await expect(ask()).rejects.not.toBeInstanceOf(Failure);
      });
      await ask();
      await bed.close();
    });
  });
});

function suite(open: () => Promise<Bed>): void {
  let bed: Bed;
  let gid: string;
  let before: number;
  const skipped = { ran: false, verdict: "skip" };

  beforeAll(async () => {
    bed = await open();
    await barrier.createCollection(bed.client, { collection: COLLECTION });
    await barrier.createCollection(bed.client, { collection: COLLECTION });
  });
  afterAll(() => bed.close());
  beforeEach(async () => {
    gid = `mongo-${randomBytes(8).toString("hex")}`;
    before = await bed.balance();
  });

  const gained = async () => (await bed.balance()) - before;
  const run = (op: string, amount: number, more: Partial<Branch> & { id?: number } = {}) => {
    const { id, ...parts } = more;
    const branch: Branch = { gid, branchId: "01", op, transType: "saga", ...parts };
    return bed.transaction((session) =>
      barrier.run(session, () => bed.add(session, amount).then(() => "done"), {
        branch,
        collection: COLLECTION,
        ...(id === undefined ? {} : { id }),
      }),
    );
  };

  test("runs once", async () => {
    expect(await run("action", -30)).toEqual({ ran: true, value: "done" });
    expect(await run("action", -30)).toEqual(skipped);
    expect(await run("action", -5, { id: 2 })).toMatchObject({ ran: true });
    expect(await gained()).toBe(-35);
  });

  test("a compensation undoes what ran, once", async () => {
    await run("action", -30);
    expect(await run("compensate", 30)).toMatchObject({ ran: true });
    expect(await run("compensate", 30)).toEqual(skipped);
    expect(await gained()).toBe(0);
  });

  test("a compensation that comes first does nothing, and neither does the late action", async () => {
    expect(await run("compensate", 30)).toEqual(skipped);
    expect(await run("action", -30)).toEqual(skipped);
    expect(await gained()).toBe(0);
  });

  test("an error of the work is thrown on, and a repeat runs", async () => {
    const error = new Error("lost");
    const branch: Branch = { gid, branchId: "01", op: "action", transType: "saga" };
    const attempt = (work: (session: MongoSessionLike) => Promise<unknown>) =>
      bed.transaction((session) => barrier.run(session, work, { branch, collection: COLLECTION }));
    const failing = async (session: MongoSessionLike) => {
      await bed.add(session, -30);
      throw error;
    };
    await expect(attempt(failing)).rejects.toBe(error);
    expect(await gained()).toBe(0);
    expect(await attempt((session) => bed.add(session, -30))).toMatchObject({ ran: true });
    expect(await gained()).toBe(-30);
    await expect(attempt((session) => bed.add(session, -30))).rejects.toEqual(code("BARRIER_ID_REUSED"));
  });

  test("queryPrepared: committed before it, or never after it", async () => {
    const message = { branchId: "00", op: "msg", transType: "msg" };
    const ask = (of: string) => barrier.queryPrepared(bed.client, { branch: { gid: of, ...message }, collection: COLLECTION });
    await run("msg", -30, message);
    await ask(gid);
    await expect(run("msg", -30, message)).rejects.toEqual(code("DUPLICATED"));
    await expect(ask(`${gid}b`)).rejects.toBeInstanceOf(Failure);
    await expect(ask(`${gid}b`)).rejects.toBeInstanceOf(Failure);
    gid = `${gid}b`;
    await expect(run("msg", -30, message)).rejects.toEqual(code("DUPLICATED"));
    expect(await gained()).toBe(-30);
  });

  test("what isn't a session's open transaction is refused, and the work doesn't run", async () => {
    const branch: Branch = { gid, branchId: "01", op: "action", transType: "saga" };
    let ran = false;
    const work = async () => {
      ran = true;
    };
    const attempt = (given: unknown, options: object = {}) =>
      Promise.resolve(Reflect.apply(barrier.run, barrier, [given, work, { branch, collection: COLLECTION, ...options }]));
    await expect(attempt(bed.client)).rejects.toEqual(code("NOT_A_TRANSACTION"));
    await expect(attempt(bed.client.startSession())).rejects.toEqual(code("NOT_A_TRANSACTION"));
    await expect(attempt({ query: () => undefined })).rejects.toEqual(code("WRONG_DRIVER"));
    await expect(attempt(null)).rejects.toEqual(code("WRONG_DRIVER"));
    const inside = (options: object) => bed.transaction((session) => attempt(session, options));
    await expect(inside({ branch: undefined })).rejects.toEqual(code("NOT_IN_BRANCH"));
    await expect(inside({ collection: "barrier" })).rejects.toEqual(code("OPTION_INVALID"));
    await expect(inside({ collection: `${NAME}.without_index` })).rejects.toEqual(code("BARRIER_TABLE_MISSING"));
    expect(ran).toBe(false);
  });
}
