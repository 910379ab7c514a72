/** A database that dtm made and wrote: migrated in place, its rows understood, and dtm's own statements still work on it (R28). */
import { randomBytes } from "node:crypto";
import type { Connection, ResultSetHeader } from "mysql2/promise";
import { MYSQL_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import { inMysql, MYSQL, mysqlAddress, mysqlDatabase } from "../../../test/kit/temporary-mysql.js";
import type { TemporaryDatabase } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { NO_OPTIONS } from "../../engine/transaction.js";
import { gidsOf, NOW, SECOND, saga, storedTransaction, tcc } from "../contract/fixtures.js";
import { type Store, StoreRejected } from "../store.js";
import { mysqlMigrator } from "./migrator.js";
import { openMysql } from "./store.js";
import { Zone } from "./zone.js";

jest.setTimeout(120_000);

/** dtm ran in China. */
const ZONE_HOURS = 8;
const at = (millis: number): string => `'${new Zone(ZONE_HOURS).toText(millis)}'`;

/** Its tables, and what it left in them. */
const DTM = `${MYSQL_TABLES_OF_DTM}
  INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner, options)
  VALUES ('resting', 'saga', 'submitted', '', 'http', ${at(NOW)}, ${at(NOW)}, 20, ${at(NOW + 80_000)}, 'JvXB7vqGKGPHmxnzWWN6zN', '{"concurrent":true,"retry_interval":20}'),
         ('due', 'tcc', 'aborting', '', 'grpc', ${at(NOW)}, ${at(NOW)}, 10, ${at(NOW - 5_000)}, '', '{"concurrent":false}');
  INSERT INTO trans_branch_op (gid, url, bin_data, branch_id, op, status, create_time, update_time)
  VALUES ('due', 'http://bank/cancel', '{"amount":30}', '01', 'cancel', 'prepared', ${at(NOW)}, ${at(NOW)})`;

/** What dtm does when it creates, touches and takes one (protocol.md 5.2); it knows none of our columns. */
const DTM_INSERT = `
  INSERT IGNORE INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
  VALUES (?, 'saga', 'submitted', '', 'http', ${at(NOW)}, ${at(NOW)}, 10, ${at(NOW)}, '')`;
const DTM_TOUCH =
  "UPDATE trans_global SET next_cron_time = ?, update_time = ?, next_cron_interval = 40 WHERE gid = ? AND status = 'submitted'";
const DTM_LOCK_ONE = `
  UPDATE trans_global SET owner = ?, update_time = ${at(NOW)}, next_cron_time = ${at(NOW + 10_000)}
  WHERE next_cron_time < ${at(NOW + 3_000)} AND status IN ('prepared', 'aborting', 'submitted') ORDER BY rand() LIMIT 1`;

/** Ends whatever is due. */
async function endDue(store: Store): Promise<void> {
  const owner = `here:${randomBytes(4).toString("hex")}`;
  const { claimed } = await store.claimDue({ owner, limit: 9, now: NOW });
  for (const { transaction } of claimed) {
    const { gid, status } = transaction;
    await store.move(gid, { owner, status, to: status === "aborting" ? "failed" : "succeed", at: NOW, results: [] });
  }
}

withServer(MYSQL, () => {
  let database: TemporaryDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await mysqlDatabase();
    await within((connection) => connection.query(DTM));
    store = await open();
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
  });

  const within = <T>(work: (connection: Connection) => Promise<T>): Promise<T> => inMysql(work, database.name);
  const open = async (): Promise<Store> => {
    const opened = openMysql({ ...mysqlAddress(database.name), zoneHours: ZONE_HOURS });
    await opened.open();
    await opened.heartbeat("here", 3_600_000);
    return opened;
  };

  test("rows that dtm left are there, those in back-off keep their time and are nobody's", async () => {
    const resting = await storedTransaction(store, "resting");
    expect(resting).toMatchObject({
      owner: "",
      nextCronTime: NOW + 80 * SECOND,
      nextCronInterval: 20,
      attempts: 0,
      wake: 0,
      waitingOn: "",
    });
    expect(resting.options).toMatchObject({ concurrent: true, retryInterval: 20 });
    const { claimed, nextDue } = await store.claimDue({ owner: "here:1", limit: 9, now: NOW });
    expect(gidsOf(claimed)).toEqual(["due"]);
    expect(claimed[0]?.branches).toMatchObject([{ branchId: "01", op: "cancel", url: "http://bank/cancel" }]);
    expect(Buffer.from(claimed[0]?.branches[0]?.payload ?? []).toString()).toBe('{"amount":30}');
    expect(nextDue).toBe(NOW + 80 * SECOND);
  });

  test("what dtm finished is kept, however old; what we made goes (R30)", async () => {
    await within((connection) =>
      connection.query(`
        INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, finish_time, next_cron_interval, next_cron_time, owner)
        VALUES ('finished', 'saga', 'succeed', '', 'http', '2020-01-01', '2020-01-01', '2020-01-01', 10, '2020-01-01', '')`),
    );
    const ours = saga({ owner: "here:9" });
    await store.create(ours);
    await store.move(ours.transaction.gid, { owner: "here:9", status: "submitted", to: "succeed", at: NOW, results: [] });
    expect(await store.sweep({ endedBefore: NOW + SECOND, limit: 10 })).toBe(1);
    expect((await storedTransaction(store, "finished")).status).toBe("succeed");
    expect(await store.find(ours.transaction.gid)).toBeNull();
  });

  test("what dtm began is kept after we ended it, also what it began when it had the tables back; the start says so (R30)", async () => {
    const other = await mysqlDatabase();
    await inMysql((connection) => connection.query(DTM), other.name);
    const info = jest.fn();
    const log = { info, debug: info, warn: info, error: info };
    const again = async (): Promise<Store> => {
      const opened = openMysql({ ...mysqlAddress(other.name), zoneHours: ZONE_HOURS, log });
      await opened.open();
      await opened.heartbeat("here", 3_600_000);
      return opened;
    };
    let adopted = await again();
    expect(info.mock.calls).toEqual([[{ lastId: 2 }, expect.stringContaining("what dtm wrote is kept")]]);
    await endDue(adopted);
    const ours = saga({ nextCronTime: NOW });
    await adopted.create(ours);
    await endDue(adopted);
    expect(await adopted.sweep({ endedBefore: NOW + SECOND, limit: 10 })).toBe(1);
    await adopted.close();
    await inMysql((connection) => connection.query(DTM_INSERT, ["later"]), other.name);
    adopted = await again();
    await endDue(adopted);
    expect(await adopted.sweep({ endedBefore: NOW + SECOND, limit: 10 })).toBe(0);
    const kept = (await adopted.list({ limit: 9 })).transactions;
    expect(kept.map(({ gid, status }) => `${gid} ${status}`)).toEqual(["later succeed", "due failed", "resting submitted"]);
    await adopted.close();
    await other.drop();
  });

  test("a gid that differs only by case is refused clearly, alone, and never found for the other (R27)", async () => {
    const neighbours = Array.from({ length: 6 }, () => saga());
    const [alike, ...others] = await Promise.allSettled([
      store.create(saga({ gid: "Resting" })),
      ...neighbours.map((given) => store.create(given)),
    ]);
    expect(others.map(({ status }) => status)).toEqual(others.map(() => "fulfilled"));
    expect(alike.status === "rejected" && alike.reason).toBeInstanceOf(StoreRejected);
    expect(alike.status === "rejected" && String(alike.reason)).toContain(
      "gid Resting differs from the stored resting only by case",
    );
    expect(await store.find("Resting")).toBeNull();
    expect(await store.nudge("RESTING", NOW)).toBe(false);
    expect(await storedTransaction(store, "resting")).toMatchObject({ wake: 0 });
    expect((await store.list({ limit: 9, gidPrefix: "rest" })).transactions.map(({ gid }) => gid)).toEqual(["resting"]);
    expect((await store.list({ limit: 9, gidPrefix: "REST" })).transactions).toEqual([]);
  });

  test("a gid that is another one only to us is refused clearly, too", async () => {
    expect(await store.create(saga({ gid: "faces 😀" }))).toEqual({ kind: "created" });
    await expect(store.create(saga({ gid: "faces 😁" }))).rejects.toThrow(
      "gid faces 😁 differs from the stored faces 😀 only by",
    );
    expect(await store.find("faces 😁")).toBeNull();
  });

  test("options that differ only by case from the prepared ones are the submit's (R27)", async () => {
    const withToken = (token: string) => ({ options: { ...NO_OPTIONS, branchHeaders: { "x-token": token } } });
    const given = saga({ ...withToken("abc"), type: "msg", status: "prepared", queryPrepared: "http://bank/asked" });
    const { gid } = given.transaction;
    await store.create(given);
    const submitted = { ...given.transaction, ...withToken("ABC"), status: "submitted", submitTime: NOW } as const;
    expect(await store.submit({ transaction: submitted, branches: [] })).toMatchObject({ kind: "moved" });
    expect((await storedTransaction(store, gid)).options.branchHeaders).toEqual({ "x-token": "ABC" });
  });

  test("a topic that differs only by case isn't deleted for the other", async () => {
    await store.createKey({ cat: "topics", key: "Orders", value: "[]", at: NOW });
    expect(await store.deleteKey("topics", "orders")).toBe(false);
    expect(await store.deleteKey("topics", "Orders")).toBe(true);
  });

  test("a payload over dtm's column is refused, and nothing of it is stored", async () => {
    const given = saga();
    const { gid } = given.transaction;
    const large = given.branches.map((branch) => ({ ...branch, payload: Buffer.alloc(70_000) }));
    // Said before it is queued: the server would only say that the column is too small.
    await expect(store.create({ ...given, branches: large })).rejects.toThrow(
      /has 70000 bytes, its column bin_data takes 65535$/,
    );
    expect(await store.find(gid)).toBeNull();
  });

  test("what dtm writes afterwards counts: its insert, its touch over our finer time", async () => {
    await within((connection) => connection.query(DTM_INSERT, ["of dtm"]));
    expect(await storedTransaction(store, "of dtm")).toMatchObject({
      attempts: 0,
      waitingOn: "",
      submitTime: null,
      nextCronTime: NOW,
    });
    const given = saga({ nextCronTime: NOW + 5_500 });
    const { gid } = given.transaction;
    await store.create(given);
    expect(await storedTransaction(store, gid)).toMatchObject({ nextCronTime: NOW + 5_500 });
    const later = new Zone(ZONE_HOURS).toText(NOW + 40_000);
    await within((connection) => connection.query(DTM_TOUCH, [later, later, gid]));
    expect(await storedTransaction(store, gid)).toMatchObject({ nextCronTime: NOW + 40_000, nextCronInterval: 40 });
  });

  test("due by the millisecond, not by dtm's second", async () => {
    const given = tcc({ nextCronTime: NOW - 100_500 });
    await store.create(given);
    const before = await store.claimDue({ owner: "here:2", limit: 9, now: NOW - 100_501 });
    expect(before).toEqual({ claimed: [], nextDue: NOW - 100_500 });
    expect(gidsOf((await store.claimDue({ owner: "here:3", limit: 1, now: NOW - 100_500 })).claimed)).toEqual([
      given.transaction.gid,
    ]);
  });

  test("what dtm ended waits for no destination any more, whatever it left in our column", async () => {
    const waitingOn = "http://down/";
    const [left, given] = [saga({ waitingOn, nextCronTime: NOW + SECOND }), saga({ waitingOn, nextCronTime: NOW + 2 * SECOND })];
    for (const one of [left, given]) await store.create(one);
    const ended = left.transaction.gid;
    await within((connection) => connection.query("UPDATE trans_global SET status = 'succeed' WHERE gid = ?", [ended]));
    expect(await store.waitingDestinations(2)).toEqual([]);
    expect(gidsOf(await store.claimWaiting(waitingOn, { owner: "here:7", limit: 1, now: NOW }))).toEqual([given.transaction.gid]);
    expect(await store.wakeWaiting(waitingOn, 9, NOW)).toBe(0);
  });

  test("dtm takes what we left, and we take it back", async () => {
    await store.close();
    const taken = await within(async (connection) => {
      const [{ affectedRows }] = await connection.query<ResultSetHeader>(DTM_LOCK_ONE, ["ownerOfDtm"]);
      return affectedRows;
    });
    expect(taken).toBe(1);
    store = await open();
    const [rows] = await within((connection) => connection.query("SELECT gid FROM trans_global WHERE owner = 'ownerOfDtm'"));
    expect(rows).toEqual([]);
  });

  test("times of another zone stop the start and name the setting (R19)", async () => {
    const other = await mysqlDatabase();
    const ahead = new Zone(ZONE_HOURS).toText(Date.now());
    await inMysql((connection) => connection.query(`${DTM}; UPDATE trans_global SET update_time = '${ahead}'`), other.name);
    const wrong = openMysql({ ...mysqlAddress(other.name), zoneHours: 0 });
    await expect(wrong.open()).rejects.toThrow(/newest update_time .* is yet to come: set TimeZoneOffset \(TIME_ZONE_OFFSET\)/);
    const right = openMysql({ ...mysqlAddress(other.name), zoneHours: ZONE_HOURS });
    await right.open();
    await right.close();
    await other.drop();
  });

  test("so they do at a first start on what dtm migrate made, and the check says it", async () => {
    const other = await mysqlDatabase();
    const ahead = new Zone(ZONE_HOURS).toText(Date.now());
    await inMysql((connection) => connection.query(`${DTM}; UPDATE trans_global SET update_time = '${ahead}'`), other.name);
    await mysqlMigrator({ ...mysqlAddress(other.name), zoneHours: ZONE_HOURS }).migrate();
    const wrong = { ...mysqlAddress(other.name), zoneHours: 0 };
    const trouble = /newest update_time .* is yet to come/;
    for (const autoMigrate of [true, false]) await expect(openMysql({ ...wrong, autoMigrate }).open()).rejects.toThrow(trouble);
    expect(await mysqlMigrator(wrong).check(async () => undefined)).toContainEqual(expect.stringMatching(trouble));
    const right = openMysql({ ...wrong, zoneHours: ZONE_HOURS });
    await right.open();
    await right.close();
    await other.drop();
  });

  test("where somebody widened a column, what is in it survives a rewrite of its row", async () => {
    const wide = "a".repeat(60_000);
    await within(async (connection) => {
      await connection.query("ALTER TABLE trans_global MODIFY custom_data mediumtext");
      await connection.query(DTM_INSERT, ["wide"]);
      await connection.query("UPDATE trans_global SET custom_data = ? WHERE gid = 'wide'", [wide]);
    });
    expect(await store.nudge("wide", NOW)).toBe(true);
    expect((await storedTransaction(store, "wide"))?.customData).toBe(wide);
  });
});
