/** Whatever a text holds: it comes back as it was, or it is refused and nothing is stored. Neighbours never notice (R7, R22, promise 7). */
import type { Loaded } from "../../engine/transaction.js";
import { StoreRejected } from "../store.js";
import type { Section } from "./contract.js";
import { branch, NOW, newGid, plain, saga, stored, tcc, transaction } from "./fixtures.js";

const STRANGE: readonly (readonly [string, string])[] = [
  ["quotes", `'";--`],
  ["SQL", "'); DROP TABLE trans_global; --"],
  ["a script's braces", "{dtm:1}}{"],
  ["line ends", "a\nb\r\nc\td"],
  ["a NUL", "a\0b"],
  ["half a pair", "a\ud800b"],
  ["the other half", "\udc00"],
  ["beyond the basic plane", "😀\u{10ffff}"],
  ["a byte order mark", "\ufeffa"],
  ["combining letters", "e\u0301"],
  ["wildcards", "%_\\*?[a]"],
  ["a prototype's name", "__proto__"],
  ["spaces around", "  a  "],
  ["128 letters", "ü".repeat(128)],
];

export function badInputContract({ store }: Section): void {
  const storedOrRejected = async (given: Loaded): Promise<"stored" | "rejected"> => {
    const { gid } = given.transaction;
    try {
      await store().create(given);
    } catch (cause) {
      expect(cause).toBeInstanceOf(StoreRejected);
      expect(await store().find(gid)).toBeNull();
      return "rejected";
    }
    expect(await stored(store(), gid)).toEqual(plain(given));
    return "stored";
  };

  test.each(STRANGE)("%s in a gid", async (_, text) => {
    await storedOrRejected(saga({ gid: text }));
  });

  test.each(STRANGE)("%s in other texts", async (_, text) => {
    const gid = newGid();
    await storedOrRejected({
      transaction: transaction({ gid, customData: text, queryPrepared: text }),
      branches: [branch(gid, text, "action", { url: text })],
    });
  });

  test.each(STRANGE)("%s in the reason of a rollback doesn't keep it from turning", async (_, text) => {
    const given = saga({ owner: "here:1" });
    const { gid } = given.transaction;
    await store().create(given);
    const turn = { owner: "here:1", status: "submitted", to: "aborting", at: NOW, results: [], rollbackReason: text } as const;
    expect(await store().move(gid, turn)).toMatchObject({ kind: "moved" });
    expect((await store().find(gid))?.transaction.status).toBe("aborting");
    expect((await store().find(gid))?.transaction.rollbackReason).not.toBe("");
  });

  test.each(STRANGE)("%s in a gid that nobody stored is just unknown", async (_, text) => {
    const gid = `unknown ${text}`;
    expect(await store().find(gid)).toBeNull();
    expect(await store().nudge(gid, NOW)).toBe(false);
    expect(await store().registerBranches(gid, [])).toBe("not-prepared");
    const stop = { from: ["prepared"], to: "failed", at: NOW, owner: "" } as const;
    expect(await store().change(gid, stop)).toEqual({ kind: "refused", current: null });
  });

  test("halves of pairs are never taken for each other", async () => {
    const [one, other] = ["half \ud800", "half \ud801"];
    const first = await storedOrRejected(saga({ gid: one }));
    const second = await storedOrRejected(saga({ gid: other }));
    expect(first).toBe(second);
    expect((await store().find("half \ufffd")) ?? null).toBeNull();
  });

  test("a create that breaks inside leaves nothing, and its neighbours in the batch are served", async () => {
    const gid = newGid();
    const twice: Loaded = {
      transaction: transaction({ gid }),
      branches: [branch(gid, "01", "action", { url: "http://one" }), branch(gid, "01", "action", { url: "http://two" })],
    };
    const good = Array.from({ length: 20 }, () => saga());
    const prepared = tcc();
    await store().create(prepared);
    const answers = await Promise.allSettled([
      ...good.slice(0, 10).map((given) => store().create(given)),
      store().create(twice),
      store().registerBranches(prepared.transaction.gid, [branch(prepared.transaction.gid, "01", "confirm")]),
      ...good.slice(10).map((given) => store().create(given)),
    ]);
    const bad = answers.splice(10, 1)[0];
    if (bad?.status === "rejected") {
      expect(bad.reason).toBeInstanceOf(StoreRejected);
      expect(await store().find(gid)).toBeNull();
    }
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => "fulfilled"));
    for (const given of good) expect(await stored(store(), given.transaction.gid)).toEqual(plain(given));
    expect((await store().find(prepared.transaction.gid))?.branches).toHaveLength(1);
  });

  test("numbers that are none are refused or kept, and hurt nobody", async () => {
    const neighbour = saga();
    const [bad, good] = await Promise.allSettled([store().create(saga({ nextCronTime: Number.NaN })), store().create(neighbour)]);
    if (bad.status === "rejected") expect(bad.reason).toBeInstanceOf(StoreRejected);
    expect(good.status).toBe("fulfilled");
    expect(await stored(store(), neighbour.transaction.gid)).toEqual(plain(neighbour));
  });

  test("a position that is no position ends the listing", async () => {
    expect(await store().list({ limit: 5, position: "no number" })).toEqual({ transactions: [], nextPosition: "" });
    expect(await store().scanKeys({ cat: "", position: "no number", limit: 5 })).toEqual({ entries: [], nextPosition: "" });
  });
}
