import { TRANSACTION_TYPES } from "@dtm/protocol";
import type { Section } from "./contract.js";
import { gidsOf, NOW, plain, SECOND, saga, storedTransaction, transaction } from "./fixtures.js";

export function claimContract({ store }: Section): void {
  beforeEach(async () => {
    await store().heartbeat("here", 60_000);
  });
  let claims = 0;
  const claim = (limit = 100, now = NOW) => store().claimDue({ owner: `here:${++claims}`, limit, now });

  test("an empty store has nothing due, and nothing to wait for", async () => {
    expect(await claim()).toEqual({ claimed: [], nextDue: null });
  });

  test("what is due is handed over with branches and its new owner, and nothing else changed", async () => {
    const given = saga({ nextCronTime: NOW });
    const { gid } = given.transaction;
    await store().create(given);
    const { claimed, nextDue } = await store().claimDue({ owner: "here:77", limit: 9, now: NOW });
    const owned = { ...given, transaction: { ...given.transaction, owner: "here:77" } };
    expect(claimed.map(plain)).toEqual([plain(owned)]);
    expect(nextDue).toBeNull();
    expect(plain(await store().find(gid))).toEqual(plain(owned));
  });

  test("what isn't due yet says when it will be", async () => {
    await store().create(saga({ nextCronTime: NOW + 7 * SECOND }));
    await store().create(saga({ nextCronTime: NOW + 5 * SECOND }));
    await store().create(saga({ nextCronTime: NOW + 1 * SECOND, owner: "here:1" }));
    await store().create(saga({ nextCronTime: NOW - 1 * SECOND, status: "succeed" }));
    expect(await claim()).toEqual({ claimed: [], nextDue: NOW + 5 * SECOND });
    expect((await claim(100, NOW + 5 * SECOND)).nextDue).toBe(NOW + 7 * SECOND);
  });

  test("compensations first, then by due time; the limit holds, and what is left over is due still", async () => {
    const make = async (status: "prepared" | "submitted" | "aborting", due: number): Promise<string> => {
      const given = saga({ status, nextCronTime: due });
      await store().create(given);
      return given.transaction.gid;
    };
    const late = await make("submitted", NOW - 1 * SECOND);
    const early = await make("prepared", NOW - 9 * SECOND);
    const undoLate = await make("aborting", NOW - 2 * SECOND);
    const undoEarly = await make("aborting", NOW - 5 * SECOND);
    const middle = await make("submitted", NOW - 4 * SECOND);
    const first = await claim(3);
    expect(gidsOf(first.claimed)).toEqual([undoEarly, undoLate, early]);
    expect(first.nextDue).toBe(NOW - 4 * SECOND);
    expect(gidsOf((await claim(3)).claimed)).toEqual([middle, late]);
    expect((await claim(3)).claimed).toEqual([]);
  });

  test("each goes to one claimer only, however many ask at once", async () => {
    const gids = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const given = saga({ nextCronTime: NOW });
        await store().create(given);
        return given.transaction.gid;
      }),
    );
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim(10)));
    const claimed = claims.flatMap((one) => gidsOf(one.claimed));
    expect(new Set(claimed).size).toBe(claimed.length);
    for (let more = await claim(10); more.claimed.length > 0; more = await claim(10)) claimed.push(...gidsOf(more.claimed));
    expect(claimed.sort()).toEqual([...gids].sort());
  });

  test("a claim can be read back by its owner, unfinished ones only (R7)", async () => {
    const first = saga({ nextCronTime: NOW });
    const second = saga({ nextCronTime: NOW });
    await store().create(first);
    await store().create(second);
    const owner = "here:5";
    const { claimed } = await store().claimDue({ owner, limit: 9, now: NOW });
    expect((await store().ownedBy(owner)).map(plain)).toEqual(claimed.map(plain));
    await store().move(first.transaction.gid, { owner, status: "submitted", to: "succeed", at: NOW, results: [] });
    expect(gidsOf(await store().ownedBy(owner))).toEqual([second.transaction.gid]);
    expect(await store().ownedBy("here:6")).toEqual([]);
  });

  test("what rests is claimed again when its time comes", async () => {
    const given = saga({ owner: "here:1" });
    const { gid } = given.transaction;
    await store().create(given);
    const schedule = { nextCronTime: NOW + 3 * SECOND, nextCronInterval: 20, attempts: 1, refusals: 0, waitingOn: "" };
    await store().rest(gid, { owner: "here:1", status: "submitted", wake: 0, at: NOW, results: [], ...schedule });
    expect(await claim()).toEqual({ claimed: [], nextDue: NOW + 3 * SECOND });
    expect(gidsOf((await claim(9, NOW + 3 * SECOND)).claimed)).toEqual([gid]);
  });

  test("what is due too late is brought forward, oldest first, and the rest is told (5.2)", async () => {
    const far = NOW + 3600 * SECOND;
    const gids: string[] = [];
    for (const status of ["submitted", "prepared", "aborting"] as const) {
      const given = saga({ status, nextCronTime: far, waitingOn: "http://down", owner: status === "prepared" ? "here:9" : "" });
      await store().create(given);
      gids.push(given.transaction.gid);
    }
    await store().create(saga({ status: "succeed", nextCronTime: far }));
    await store().create(saga({ nextCronTime: NOW + SECOND }));
    const reset = { after: NOW + 60 * SECOND, at: NOW, limit: 2 };
    expect(await store().resetDue(reset)).toEqual({ count: 2, remaining: true });
    expect(await storedTransaction(store(), gids[1] ?? "")).toMatchObject({
      nextCronTime: NOW,
      updateTime: NOW,
      wake: 1,
      waitingOn: "",
      owner: "here:9",
    });
    expect(await storedTransaction(store(), gids[2] ?? "")).toMatchObject({ nextCronTime: far, wake: 0 });
    expect(await store().resetDue(reset)).toEqual({ count: 1, remaining: false });
    expect(await store().resetDue(reset)).toEqual({ count: 0, remaining: false });
  });

  test("the summary counts what is unfinished and what is stuck (R16)", async () => {
    const ask = {
      stuckAttempts: { saga: 10, tcc: 10, xa: 10, msg: 10, workflow: 10 },
      stuckRefusals: 3,
      overdueBefore: NOW - 600 * SECOND,
    };
    expect(await store().summary(ask)).toEqual({ unfinished: 0, oldest: null, stuck: 0 });
    await store().create(saga({ createTime: NOW - 50 * SECOND, status: "succeed" }));
    await store().create(saga({ createTime: NOW - 20 * SECOND }));
    await store().create(saga({ createTime: NOW - 30 * SECOND, attempts: 10 }));
    await store().create(saga({ refusals: 3, status: "aborting" }));
    await store().create(saga({ nextCronTime: NOW - 601 * SECOND, status: "prepared" }));
    await store().create(saga({ attempts: 9, refusals: 2, nextCronTime: NOW - 600 * SECOND, owner: "here:1" }));
    await store().create(saga({ attempts: 99, status: "failed" }));
    expect(await store().summary(ask)).toEqual({ unfinished: 5, oldest: NOW - 30 * SECOND, stuck: 3 });
  });

  test("each type has its own limit of attempts (R16)", async () => {
    const stuckAttempts = { saga: 10, tcc: 2, xa: 6, msg: 4, workflow: 8 };
    for (const type of TRANSACTION_TYPES) {
      await store().create({ transaction: transaction({ type, attempts: stuckAttempts[type] - 1 }), branches: [] });
    }
    const stuck = async () => (await store().summary({ stuckAttempts, stuckRefusals: 3, overdueBefore: NOW })).stuck;
    expect(await stuck()).toBe(0);
    for (const [before, type] of TRANSACTION_TYPES.entries()) {
      await store().create({ transaction: transaction({ type, attempts: stuckAttempts[type] }), branches: [] });
      expect([type, await stuck()]).toEqual([type, before + 1]);
    }
  });
}
