import { type AppliedMigration, checksumOf, type Migration } from "./migrate.js";
import { check, type Examined, type Look, type LookedAt } from "./migrate-check.js";

const one: Migration = { version: 1, name: "first", sql: "CREATE TABLE a (b)" };
const two: Migration = { version: 2, name: "second", sql: "ALTER TABLE a ADD c" };
const done = (migration: Migration): AppliedMigration => ({ ...migration, checksum: checksumOf(migration), done: true });

const row = (gid: string, changes: Partial<LookedAt> = {}): LookedAt => ({
  gid,
  status: "submitted",
  owner: "",
  updated: "2026-01-01 00:00:01",
  due: "2026-01-01 00:00:11",
  ...changes,
});
const look = (...rows: readonly LookedAt[]): Look => ({ unfinished: rows.length, rows });

/** Each look is the next of `looks`, the last one again and again. */
function database(is: {
  readonly applied?: readonly AppliedMigration[];
  readonly looks?: readonly (Look | null)[];
  readonly migrating?: boolean;
  readonly live?: number;
}): Examined {
  const looks = [...(is.looks ?? [null])];
  return {
    applied: async () => is.applied ?? [],
    migrating: async () => is.migrating ?? false,
    look: async () => (looks.length > 1 ? looks.shift() : looks[0]) ?? null,
    liveServers: async () => is.live ?? 0,
  };
}

const findings = (examined: Examined, known: readonly Migration[] = [one, two]): Promise<readonly string[]> =>
  check(examined, known, async () => undefined);

describe("the schema", () => {
  test("nothing there yet", async () => {
    expect(await findings(database({}))).toEqual(["pending: 1 first", "pending: 2 second"]);
  });

  test("an older one", async () => {
    expect(await findings(database({ applied: [done(one)], looks: [look()] }))).toEqual(["pending: 2 second"]);
  });

  test("dtm's tables, and none of ours beside them", async () => {
    expect(await findings(database({ looks: [look()] }), [one])).toEqual([
      "pending: 1 first, on the tables that dtm made; nothing in them is dropped",
    ]);
  });

  test("current and quiet", async () => {
    expect(await findings(database({ applied: [done(one), done(two)], looks: [look(row("a"))] }))).toEqual([]);
  });

  test("a newer one", async () => {
    expect(await findings(database({ applied: [done(one), done(two)] }), [one])).toEqual([
      expect.stringMatching(/^the database has schema version 2 \(second\), this server knows 1: start the newer/),
    ]);
  });

  test("one that broke off, of a newer release too: both are told", async () => {
    expect(await findings(database({ applied: [done(one), { ...done(two), done: false }] }), [one])).toEqual([
      expect.stringMatching(/^schema version 2 \(second\) was begun and broke off: restore the backup/),
      expect.stringMatching(/^the database has schema version 2/),
    ]);
  });

  test("one under way isn't one that broke off", async () => {
    expect(await findings(database({ applied: [{ ...done(one), done: false }], migrating: true }))).toEqual([
      "another server migrates this database right now: look again when it is done",
    ]);
  });
});

describe("who writes (R28)", () => {
  const between = (before: Look, after: Look, live = 0): Promise<readonly string[]> =>
    findings(database({ applied: [done(one), done(two)], looks: [before, after], live }));

  test("dtm took one: its owner has no colon, whoever else is alive", async () => {
    const taken = row("b", { owner: "JvXB7vqGKGPHmxnzWWN6zN", updated: "2026-01-01 00:00:09" });
    expect(await between(look(row("a"), row("b")), look(row("a"), taken), 2)).toEqual([
      "dtm writes to trans_global while this looks (as the row of gid b): stop it before this server starts, the two never share a database (R28)",
    ]);
  });

  test("somebody made one, and none of ours is alive", async () => {
    expect(await between(look(row("a")), look(row("new"), row("a")))).toEqual([
      expect.stringMatching(
        /^trans_global changes .* \(as the row of gid new\), and no server of ours is alive: if dtm is running, stop/,
      ),
    ]);
  });

  test.each([
    [1, /: a server of ours works on it$/],
    [3, /: 3 servers of ours work on it$/],
  ])("%i of ours", async (live, line) => {
    const taken = row("a", { owner: "epoch:1" });
    expect(await between(look(row("a")), look(taken), live)).toEqual([expect.stringMatching(line)]);
  });

  test("an old one that ended shows by the count alone", async () => {
    expect(await between({ unfinished: 5_000, rows: [row("a")] }, { unfinished: 4_999, rows: [row("a")] })).toEqual([
      expect.stringMatching(/^trans_global changes while this looks, and no server of ours is alive/),
    ]);
  });

  test("the one that was written last is the one that is named", async () => {
    const [a, b] = [row("a", { updated: "2026-01-01 00:00:08" }), row("b", { updated: "2026-01-01 00:00:09" })];
    expect((await between(look(row("a"), row("b")), look(a, b)))[0]).toContain("(as the row of gid b)");
  });

  test("the pause lies between the two looks", async () => {
    const told: string[] = [];
    const looked: Examined = {
      ...database({ applied: [done(one)] }),
      look: async () => {
        told.push("look");
        return look(row("a"));
      },
    };
    await check(looked, [one], async () => void told.push("pause"));
    expect(told).toEqual(["look", "pause", "look"]);
  });
});
