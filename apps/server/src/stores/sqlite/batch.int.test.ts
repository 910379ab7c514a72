/** The writer's work without its thread: what a batch does when the database refuses. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../../test/kit/temporary-sqlite.js";
import { branch, NOW, newGid, saga, tcc } from "../contract/fixtures.js";
import { migrate } from "../migrate.js";
import { runAgain, runBatch } from "./batch.js";
import { Database } from "./database.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { isFailure, type WriteReply, type WriteRequest } from "./wire.js";
import { pack, type Write, writeOf } from "./writes.js";

/** Opening a store on a busy machine; nothing is measured here. */
jest.setTimeout(120_000);

let folder: string;
let file: string;
let db: Database;
let batches = 0;

beforeEach(async () => {
  folder = temporaryFolder();
  file = join(folder, "dtm.db");
  db = new Database(file, { busyMs: 0 });
  db.pragma("journal_mode = WAL");
  await migrate(migrationTarget(db, NOW), MIGRATIONS);
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const request = (...writes: readonly Write[]): WriteRequest => ({ token: `batch ${++batches}`, ...pack(writes) });

function words(reply: ReturnType<typeof runBatch>): unknown[] {
  if (isFailure(reply)) throw new Error(reply.message);
  return reply.answers.map((answer) => (isFailure(answer) ? answer.failed : answer[0]));
}

function count(table: string, connection = db): number {
  return Number(connection.get(`SELECT count(*) FROM ${table}`, [])?.[0]);
}

test("an operation that breaks is undone alone, its neighbours are committed", () => {
  const gid = newGid();
  const broken = { transaction: saga({ gid }).transaction, branches: [branch(gid, "1", "a"), branch(gid, "1", "a")] };
  const reply = runBatch(db, request(writeOf("create", saga()), writeOf("create", broken), writeOf("create", saga())));
  expect(words(reply)).toEqual(["created", "rejected", "created"]);
  expect(count("trans_global")).toBe(2);
  expect(count("trans_branch_op")).toBe(8);
});

test("a full disk is no refusal of the data: the batch can't be stored now, and what fits later is (R7)", () => {
  const pages = Number(db.pragma("page_count"));
  db.pragma(`max_page_count = ${pages + 20}`);
  const small = saga();
  const large = saga();
  const huge = large.branches.map((row) => ({ ...row, payload: new Uint8Array(200_000) }));
  const reply = runBatch(db, request(writeOf("create", small), writeOf("create", { ...large, branches: huge })));
  expect(reply).toMatchObject({
    failed: "unavailable",
    message: expect.stringMatching(/SQLITE_FULL.*; make room where DataDir/),
  });
  expect(count("trans_global")).toBe(0);
  expect(words(runBatch(db, request(writeOf("create", small))))).toEqual(["created"]);
});

test("a file that can't be written is unavailable, not a refusal of the data", () => {
  db.exec("PRAGMA query_only = ON");
  const reply = runBatch(db, request(writeOf("create", saga())));
  expect(reply).toMatchObject({ failed: "unavailable" });
  db.exec("PRAGMA query_only = OFF");
  expect(words(runBatch(db, request(writeOf("create", saga()))))).toEqual(["created"]);
});

test("a batch that proves writes its note though nothing changes, and fails where that can't be written", () => {
  const ping = (prove: boolean) => runBatch(db, request({ kind: "ping" }), prove);
  db.exec("CREATE TRIGGER no_room BEFORE INSERT ON last_batch BEGIN SELECT raise(ABORT, 'no room'); END");
  expect(words(ping(false))).toEqual([true]);
  expect(ping(true)).toMatchObject({ failed: "unavailable", message: expect.stringContaining("no room") });
  db.exec("DROP TRIGGER no_room");
  expect(words(ping(true))).toEqual([true]);
});

test("another program's lock makes it unavailable, and it is over with the lock", () => {
  const other = new Database(file, { busyMs: 0 });
  other.run("BEGIN IMMEDIATE", []);
  expect(runBatch(db, request(writeOf("create", saga())))).toMatchObject({ failed: "unavailable" });
  other.run("ROLLBACK", []);
  other.close();
  expect(words(runBatch(db, request(writeOf("create", saga()))))).toEqual(["created"]);
});

test("a claim that finds nothing, and a ping, write nothing", () => {
  const other = new Database(file, { busyMs: 0 });
  const version = other.pragma("data_version");
  const idle: Write[] = [{ kind: "claimDue", claim: { owner: "here:1", limit: 9, now: NOW } }, { kind: "ping" }];
  expect(words(runBatch(db, request(...idle)))).toEqual([[null], true].map((word) => (word === true ? true : null)));
  expect(other.pragma("data_version")).toBe(version);
  runBatch(db, request(writeOf("create", saga())));
  expect(other.pragma("data_version")).not.toBe(version);
  other.close();
});

describe("after a crash (R7, R25)", () => {
  const everything = (): { before: Write[]; batch: Write[] } => {
    const prepared = tcc();
    const duplicate = tcc();
    const resting = saga({ nextCronTime: NOW });
    const waiting = saga({ waitingOn: "http://down", nextCronTime: NOW + 1000 });
    const driven = saga({ owner: "here:1" });
    const claim = { owner: "here:2", limit: 9, now: NOW };
    const known = [branch(duplicate.transaction.gid, "01", "confirm")];
    const broken = saga();
    return {
      before: [
        ...[prepared, duplicate, resting, waiting, driven].map((loaded) => writeOf("create", loaded)),
        writeOf("register", { gid: duplicate.transaction.gid, branches: known }),
      ],
      batch: [
        writeOf("create", saga()),
        writeOf("create", prepared),
        writeOf("create", { ...broken, branches: [...broken.branches, ...broken.branches] }),
        writeOf("submit", { ...prepared, transaction: { ...prepared.transaction, status: "submitted", owner: "here:3" } }),
        writeOf("register", { gid: duplicate.transaction.gid, branches: known }),
        { kind: "claimDue", claim },
        { kind: "claimWaiting", destination: "http://down", claim: { ...claim, owner: "here:4" } },
        {
          kind: "move",
          gid: driven.transaction.gid,
          move: { owner: "here:1", status: "submitted", to: "succeed", at: NOW, results: [] },
        },
        { kind: "nudge", gid: "unknown", at: NOW },
        { kind: "resetDue", after: NOW + 60_000, at: NOW, limit: 1 },
        { kind: "createKey", cat: "topics", key: "a", value: "v", at: NOW },
      ],
    };
  };

  test("a batch that was committed is answered as if its reply had arrived, and nothing happens twice", () => {
    const { before, batch } = everything();
    expect(words(runBatch(db, request(...before)))).not.toContain("rejected");
    const asked = request(...batch);
    const answered = runBatch(db, asked);
    expect(words(answered)).toContain("rejected");
    const rows = count("trans_global");
    expect(comparable(runAgain(db, asked))).toEqual(comparable(answered));
    expect(count("trans_global")).toBe(rows);
  });

  test("a batch that wasn't committed runs now", () => {
    const { before, batch } = everything();
    runBatch(db, request(...before));
    const asked = request(...batch);
    const answered = runAgain(db, asked);
    expect(words(answered)[0]).toBe("created");
    expect(comparable(runAgain(db, asked))).toEqual(comparable(answered));
  });

  /** Rows as of the end of the batch, which may be later than the operation's own moment; for these they are the same. */
  function comparable(reply: ReturnType<typeof runBatch>): WriteReply {
    if (isFailure(reply)) throw new Error(reply.message);
    return {
      ...reply,
      answers: reply.answers.map((answer, place) => (place === 1 && !isFailure(answer) ? [answer[0]] : answer)),
    };
  }
});
