import { randomBytes } from "node:crypto";
import { DtmError, Failure } from "@dtm/protocol";
import { BranchCall, runInBranch } from "../../src/context.js";
import { recoverXa, type XaGlobal, type XaRegistration, xa, xaBranch } from "../../src/xa.js";
import { withServer } from "../kit/with-server.js";
import { type Bed, type Driver, type Execute, makeBed, openDatabase, SERVERS } from "./beds.js";
import { crashAfterPhase1 } from "./crash.js";

const DRIVERS: readonly Driver[] = ["pg", "mysql2", "mariadb"];
const registered = async (): Promise<void> => undefined;
const code = (expected: string) => expect.objectContaining({ code: expected });

for (const driver of DRIVERS) {
  const server = SERVERS[driver];
  withServer(server, () => describe(`XA branches with ${driver}`, () => suite(driver)));
}

function suite(driver: Driver): void {
  let bed: Bed;
  let gid: string;
  let before: number;

  beforeAll(async () => {
    bed = await makeBed(driver);
  });
  afterAll(() => bed.drop());
  // What a failed test left would hold the account.
  afterEach(async () => {
    const query = async (asked: string) => (asked.startsWith(own) ? "failed" : "prepared");
    await recoverXa(bed.database, { query, minAgeSeconds: 0 });
  });
  const own = `xa-${randomBytes(6).toString("hex")}`;
  let count = 0;
  beforeEach(async () => {
    gid = `${own}-${++count}`;
    before = await bed.balance();
  });

  const at = (op: string, of = gid) =>
    new BranchCall({
      gid: of,
      branchId: "01",
      op,
      transType: "xa",
      phase2Url: "http://s/xa",
      coordinator: "http://d/api/dtmsvr",
    });
  const add = (amount: number) => (execute: Execute) => execute(`update account set balance = balance + ${amount} where id = 1`);
  const serve = (op: string, work: (execute: Execute) => Promise<unknown> = add(30), register = registered) =>
    runInBranch(at(op), () => xaBranch(bed.database, { register }, work));
  const isPrepared = async () => (await bed.prepared()).includes(`${gid}-01`);
  const gained = async () => (await bed.balance()) - before;

  test("phase 1 registers and prepares, commit makes it visible, and may be repeated", async () => {
    const seen: unknown[] = [];
    const register = async (registration: XaRegistration) => void seen.push(registration, await isPrepared());
    const run = await runInBranch(at("action"), () =>
      xa.run(bed.database, { register }, async (execute) => void (await add(30)(execute))),
    );
    expect(run).toEqual({ ran: true, value: undefined });
    expect(seen).toEqual([{ gid, branchId: "01", url: "http://s/xa", coordinator: "http://d/api/dtmsvr" }, false]);
    expect(await isPrepared()).toBe(true);
    expect(await gained()).toBe(0);
    await serve("commit");
    expect(await gained()).toBe(30);
    await serve("commit");
    expect(await gained()).toBe(30);
    expect(await isPrepared()).toBe(false);
  });

  test("rollback undoes it, may be repeated, and a phase 1 that comes later is refused", async () => {
    await serve("action");
    await serve("rollback");
    await serve("rollback");
    expect(await isPrepared()).toBe(false);
    let ran = false;
    const note = async () => {
      ran = true;
    };
    await expect(serve("action", note)).rejects.toBeInstanceOf(Failure);
    expect(ran).toBe(false);
    expect(await isPrepared()).toBe(false);
    expect(await gained()).toBe(0);
  });

  test("a rollback that comes first refuses phase 1", async () => {
    await serve("rollback");
    await expect(serve("action")).rejects.toBeInstanceOf(Failure);
    expect(await gained()).toBe(0);
  });

  test("an error of the work or of the registration rolls back, and is the one that is thrown", async () => {
    const error = new Failure("no money");
    let asked = 0;
    const register = async () => void asked++;
    const work = async (execute: Execute) => {
      await add(30)(execute);
      throw error;
    };
    await expect(serve("action", work, register)).rejects.toBe(error);
    expect(asked).toBe(0);
    const refused = new Error("the coordinator refused");
    await expect(serve("action", add(30), () => Promise.reject(refused))).rejects.toBe(refused);
    expect(await isPrepared()).toBe(false);
    expect(await gained()).toBe(0);
    // Nothing was decided, so a repeat runs.
    await serve("action");
    await serve("commit");
    expect(await gained()).toBe(30);
  });

  test("a second delivery of phase 1 does nothing, before and after the commit", async () => {
    let runs = 0;
    const work = async (execute: Execute) => {
      runs++;
      await add(30)(execute);
    };
    const deliver = () => runInBranch(at("action"), () => xa.run(bed.database, { register: registered }, work));
    expect(await deliver()).toMatchObject({ ran: true });
    expect(await deliver()).toEqual({ ran: false, verdict: "skip" });
    await serve("commit");
    expect(await deliver()).toEqual({ ran: false, verdict: "skip" });
    expect(runs).toBe(1);
    expect(await gained()).toBe(30);
  });

  test("deliveries at once have one effect", async () => {
    await Promise.allSettled(Array.from({ length: 8 }, () => serve("action")));
    expect(await isPrepared()).toBe(true);
    await serve("commit");
    expect(await gained()).toBe(30);
  });

  test("a rollback during phase 1 isn't a success until it is over", async () => {
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let working: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      working = resolve;
    });
    const phase1 = serve("action", async (execute) => {
      await add(30)(execute);
      working();
      await gate;
    });
    await begun;
    await expect(serve("rollback")).rejects.toThrow();
    letGo();
    await phase1;
    await serve("rollback");
    expect(await isPrepared()).toBe(false);
    expect(await gained()).toBe(0);
  });

  test("phase 2 says no success where nothing was settled in its direction", async () => {
    await expect(serve("commit")).rejects.toEqual(code("XA_NOT_PREPARED"));
    await serve("rollback");
    await expect(serve("commit")).rejects.toEqual(code("XA_NOT_PREPARED"));
    gid = `${gid}-b`;
    await serve("action", async () => undefined);
    await serve("commit");
    await expect(serve("rollback")).rejects.toEqual(code("XA_NOT_PREPARED"));
  });

  test("ids: quotes, backslashes and letters of two bytes are safe; the longest fits, one more is refused before phase 1", async () => {
    gid = `${gid}-'\\ü"; --`;
    await serve("action");
    expect(await isPrepared()).toBe(true);
    await serve("commit");
    expect(await gained()).toBe(30);
    const { maxXidBytes } = bed.database;
    // The columns of the barrier's table are shorter than PostgreSQL's ids, so the longest there is by its row.
    gid = gid.padEnd(Math.min(maxXidBytes, 128) - 4, "x");
    await serve("action");
    await serve("commit");
    gid = "x".repeat(maxXidBytes - 2);
    let called = false;
    const note = async () => {
      called = true;
    };
    await expect(serve("action", note, note)).rejects.toEqual(code("XID_TOO_LONG"));
    gid = "a\0b";
    await expect(serve("action", note, note)).rejects.toEqual(code("BRANCH_INVALID"));
    expect(called).toBe(false);
  });

  test("an op that isn't XA's, or a phase 1 without an address for phase 2, is refused", async () => {
    await expect(serve("compensate")).rejects.toEqual(code("BRANCH_INVALID"));
    const call = new BranchCall({ gid, branchId: "01", op: "action", transType: "xa" });
    await expect(xa.run(bed.database, { register: registered, branch: call }, add(30))).rejects.toEqual(code("BRANCH_INVALID"));
    await expect(xaBranch(bed.database, { register: registered }, add(30))).rejects.toEqual(code("NOT_IN_BRANCH"));
    expect(await gained()).toBe(0);
  });

  test("work that nobody would do is refused, and nothing is prepared", async () => {
    async function* lazy(execute: Execute) {
      yield await add(30)(execute);
    }
    type Work = (execute: Execute) => Promise<unknown>;
    await expect(serve("action", lazy as unknown as Work)).rejects.toEqual(code("OPTION_INVALID"));
    await expect(serve("action", async (execute) => lazy(execute))).rejects.toEqual(code("OPTION_INVALID"));
    expect(await isPrepared()).toBe(false);
  });

  test("a missing table is named, and nothing stays prepared", async () => {
    const opened = openDatabase(driver, bed.address, "no_such_place.barrier");
    const call = () => runInBranch(at("action"), () => xaBranch(opened.database, { register: registered }, add(30)));
    await expect(call()).rejects.toEqual(code("BARRIER_TABLE_MISSING"));
    await opened.close();
    expect(await isPrepared()).toBe(false);
    expect(await gained()).toBe(0);
  });

  test("connections come back, whatever happens on them", async () => {
    const opened = openDatabase(driver, bed.address, bed.table, 2);
    const on = (op: string, of: string, work: (execute: Execute) => Promise<unknown> = add(1)) =>
      runInBranch(at(op, of), () => xaBranch(opened.database, { register: registered }, work));
    for (let i = 0; i < 6; i++) {
      const of = `${gid}-${i}`;
      await expect(on("action", of, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
      await on("action", of);
      await on("action", of);
      await on(i % 2 === 0 ? "commit" : "rollback", of);
      await expect(on(i % 2 === 0 ? "rollback" : "commit", of)).rejects.toThrow(DtmError);
    }
    await opened.close();
    expect(await gained()).toBe(3);
  });

  test.each([2, 3])(
    "phase 2 finds a connection while more first phases wait for its row than the pool of %i has",
    async (size) => {
      const opened = openDatabase(driver, bed.address, bed.table, size);
      const on = (op: string, of: string) =>
        runInBranch(at(op, of), () => xaBranch(opened.database, { register: registered }, add(1)));
      await on("action", gid);
      const others = Array.from({ length: 5 }, async (_, i) => {
        await on("action", `${gid}-${i}`);
        await on("commit", `${gid}-${i}`);
      });
      // Until they wait for the row.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const left = await recoverXa(opened.database, { query: async () => "prepared" });
      expect(left.map((found) => found.gid)).toContain(gid);
      const asked = Date.now();
      await on("commit", gid);
      expect(Date.now() - asked).toBeLessThan(5_000);
      await Promise.all(others);
      await opened.close();
      expect(await gained()).toBe(6);
    },
  );

  if (driver === "pg") {
    test("an error that the work swallowed is no prepared transaction", async () => {
      const work = async (execute: Execute) => {
        await add(30)(execute);
        await execute("select 1 / 0").catch(() => undefined);
      };
      await expect(serve("action", work)).rejects.toThrow("swallowed");
      expect(await isPrepared()).toBe(false);
    });
  } else {
    test("phase 1 answers when the server has let go of its connection, so that phase 2 can't meet that moment", async () => {
      for (let i = 0; i < 40; i++) {
        gid = `${own}-${count}-${i}`;
        let number = "";
        await serve("action", async (execute) => {
          await add(1)(execute);
          // Rows, or a pair with them.
          number = /"id":"?(\d+)/.exec(JSON.stringify(await execute("select concat(connection_id(), '') as id")))?.[1] ?? "";
        });
        expect(number).not.toBe("");
        expect(await bed.execute(`select 1 from information_schema.processlist where id = ${number}`)).toEqual([]);
        const session = await bed.database.open();
        expect(await (i % 2 === 0 ? session.commit : session.rollback)({ gid, branchId: "01", text: `${gid}-01` })).toBe("done");
        await session.close();
      }
      expect(await gained()).toBe(20);
    });

    test("a transaction that is still with its connection is not taken for a committed one", async () => {
      const session = await bed.database.open();
      const branch = { gid, branchId: "01", text: `${gid}-01`, transType: "xa", op: "action" };
      await session.start(branch);
      await session.insertRow(branch);
      await add(30)(session.connection);
      await session.prepare(branch);
      // MySQL since 8.0.29 lets go of it at once, and commits.
      const committed = await serve("commit").then(
        () => true,
        (error: unknown) => {
          expect(error).toEqual(code("XA_NOT_PREPARED"));
          return false;
        },
      );
      expect(await gained()).toBe(committed ? 30 : 0);
      await session.close();
      await serve("commit");
      expect(await gained()).toBe(30);
    });
  }

  describe("recoverXa, after kill -9 between prepare and phase 2", () => {
    const outcomes = async (status: string | null, more: { minAgeSeconds?: number; settleUnknown?: "rollback" } = {}) => {
      const list = await recoverXa(bed.database, {
        // Other tests may have theirs on the same server.
        query: async (asked) => (asked === gid ? status : "prepared"),
        ...more,
      });
      return list.filter((found) => found.gid === gid);
    };

    test.each([
      ["submitted", "committed", 30],
      ["succeed", "committed", 30],
      ["aborting", "rolled back", 0],
      ["failed", "rolled back", 0],
    ] as const)("%s: it is %s, once it is old enough", async (status, outcome, amount) => {
      await crashAfterPhase1(bed, gid, 30);
      expect(await isPrepared()).toBe(true);
      expect(await outcomes(status)).toMatchObject([{ branchId: "01", status: null, outcome: "young" }]);
      expect(await outcomes("prepared", { minAgeSeconds: 0 })).toMatchObject([{ status: "prepared", outcome: "undecided" }]);
      expect(await isPrepared()).toBe(true);
      expect(await outcomes(status, { minAgeSeconds: 0 })).toMatchObject([{ status, outcome }]);
      expect(await isPrepared()).toBe(false);
      expect(await gained()).toBe(amount);
      expect(await outcomes(status, { minAgeSeconds: 0 })).toEqual([]);
      // The coordinator that comes after all finds it done.
      await serve(amount === 30 ? "commit" : "rollback");
      expect(await gained()).toBe(amount);
    });

    test("an unknown gid is listed and left alone, unless the caller says so", async () => {
      await crashAfterPhase1(bed, gid, 30);
      expect(await outcomes(null, { minAgeSeconds: 0 })).toMatchObject([{ status: null, outcome: "unknown gid" }]);
      expect(await isPrepared()).toBe(true);
      expect(await outcomes(null, { settleUnknown: "rollback" })).toMatchObject([{ outcome: "young" }]);
      expect(await isPrepared()).toBe(true);
      expect(await outcomes(null, { minAgeSeconds: 0, settleUnknown: "rollback" })).toMatchObject([{ outcome: "rolled back" }]);
      expect(await isPrepared()).toBe(false);
      expect(await gained()).toBe(0);
    });

    test("a coordinator that doesn't answer is named, and the others go on", async () => {
      const first = gid;
      await crashAfterPhase1(bed, first, 30);
      gid = `${gid}b`;
      await crashAfterPhase1(bed, gid, 0);
      const down = new Error("down");
      const list = await recoverXa(bed.database, {
        minAgeSeconds: 0,
        query: async (asked) => {
          if (asked === first) throw down;
          return asked === gid ? "failed" : "prepared";
        },
      });
      expect(list.find((found) => found.gid === first)).toMatchObject({ outcome: "failed", error: down });
      expect(list.find((found) => found.gid === gid)).toMatchObject({ outcome: "rolled back" });
      gid = first;
      await serve("rollback");
    });

    test("what its global transaction doesn't have as a branch is somebody else's", async () => {
      await crashAfterPhase1(bed, gid, 30);
      const asOf = async (global: XaGlobal) => {
        const query = async (asked: string) => (asked === gid ? global : "prepared");
        return (await recoverXa(bed.database, { query, minAgeSeconds: 0 })).filter((found) => found.gid === gid);
      };
      const branches = [{ branchId: "01" }];
      for (const global of [
        { status: "succeed", transType: "saga", branches },
        { status: "succeed", transType: "xa", branches: [{ branchId: "02" }] },
      ]) {
        expect(await asOf(global)).toMatchObject([{ status: "succeed", outcome: "unknown branch" }]);
        expect(await isPrepared()).toBe(true);
      }
      expect(await asOf({ status: "succeed", transType: "xa", branches })).toMatchObject([{ outcome: "committed" }]);
      expect(await gained()).toBe(30);
    });

    test("an old one is settled without being told to", async () => {
      await crashAfterPhase1(bed, gid, 30);
      const session = await bed.database.open();
      const found = (await session.listPrepared()).find(({ xid }) => xid === `${gid}-01`);
      await session.close();
      expect(found?.ageSeconds).toBeGreaterThanOrEqual(0);
      expect(found?.ageSeconds).toBeLessThan(600);
      const aged = {
        ...bed.database,
        async open() {
          const opened = await bed.database.open();
          return {
            ...opened,
            listPrepared: async () =>
              (await opened.listPrepared()).map((prepared) => ({ ...prepared, ageSeconds: (prepared.ageSeconds ?? 0) + 601 })),
          };
        },
      };
      const list = await recoverXa(aged, { query: async (asked) => (asked === gid ? "succeed" : "prepared") });
      expect(list.find((item) => item.gid === gid)).toMatchObject({ outcome: "committed" });
      expect(await gained()).toBe(30);
    });
  });
}
