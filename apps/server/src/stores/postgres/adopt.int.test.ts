/** A database that dtm made and wrote: migrated in place, its rows understood, and dtm's own statements still work on it (R28). */
import { randomBytes } from "node:crypto";
import type pg from "pg";
import { POSTGRES_TABLES_OF_DTM } from "../../../test/kit/dtm-tables.js";
import {
  inPostgres,
  POSTGRES,
  postgresAddress,
  postgresDatabase,
  type TemporaryDatabase,
} from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { gidsOf, NOW, SECOND, saga, storedTransaction } from "../contract/fixtures.js";
import type { Store } from "../store.js";
import { Connection } from "./connection.js";
import { postgresMigrator } from "./migrator.js";
import { Pool } from "./pool.js";
import { adopt } from "./sql/adopt.js";
import { openPostgres } from "./store.js";

jest.setTimeout(120_000);

/** Its tables, and what it left in them. */
const DTM = `${POSTGRES_TABLES_OF_DTM}
  INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner, options)
  VALUES ('resting', 'saga', 'submitted', '', 'http', to_timestamp(${NOW / 1000}), to_timestamp(${NOW / 1000}), 20, to_timestamp(${NOW / 1000 + 80}), 'JvXB7vqGKGPHmxnzWWN6zN', '{"concurrent":true,"retry_interval":20}'),
         ('due', 'tcc', 'aborting', '', 'grpc', to_timestamp(${NOW / 1000}), to_timestamp(${NOW / 1000}), 10, to_timestamp(${NOW / 1000 - 5}), '', '{"concurrent":false}');
  INSERT INTO trans_branch_op (gid, url, bin_data, branch_id, op, status, create_time, update_time)
  VALUES ('due', 'http://bank/cancel', '{"amount":30}', '01', 'cancel', 'prepared', to_timestamp(${NOW / 1000}), to_timestamp(${NOW / 1000}));`;

/** What dtm does when it creates, touches and takes one (protocol.md 5.2); it knows none of our columns. */
const DTM_INSERT = `
  INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
  VALUES ($1, 'saga', 'submitted', '', 'http', now(), now(), 10, now() - interval '1 second', '') ON CONFLICT DO NOTHING`;
const DTM_TOUCH =
  "UPDATE trans_global SET next_cron_time = $2, update_time = $2, next_cron_interval = 40 WHERE gid = $1 AND status = 'submitted'";
const DTM_LOCK_ONE = `
  UPDATE trans_global SET owner = $1, update_time = now(), next_cron_time = now() + interval '10 seconds'
  WHERE id = (SELECT id FROM trans_global WHERE next_cron_time < now() AND status IN ('prepared', 'aborting', 'submitted') ORDER BY random() LIMIT 1)
    AND next_cron_time < now() AND status IN ('prepared', 'aborting', 'submitted')`;

/** Ends whatever is due, what dtm inserts now as well. */
async function endDue(store: Store): Promise<void> {
  const owner = `here:${randomBytes(4).toString("hex")}`;
  const { claimed } = await store.claimDue({ owner, limit: 9, now: Date.now() });
  for (const { transaction } of claimed) {
    const { gid, status } = transaction;
    await store.move(gid, { owner, status, to: status === "aborting" ? "failed" : "succeed", at: NOW, results: [] });
  }
}

withServer(POSTGRES, () => {
  let database: TemporaryDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await postgresDatabase();
    await inDatabase((client) => client.query(DTM));
    store = await open();
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
  });

  const inDatabase = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => inPostgres(work, database.name);
  const open = async (): Promise<Store> => {
    const opened = openPostgres(postgresAddress(database.name));
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

  test("what dtm began is kept after we ended it, also what it began when it had the tables back; the start says so (R30)", async () => {
    const other = await postgresDatabase();
    await inPostgres((client) => client.query(DTM), other.name);
    const info = jest.fn();
    const log = { info, debug: info, warn: info, error: info };
    const again = async (): Promise<Store> => {
      const opened = openPostgres({ ...postgresAddress(other.name), log });
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
    await inPostgres((client) => client.query(DTM_INSERT, ["later"]), other.name);
    adopted = await again();
    await endDue(adopted);
    expect(await adopted.sweep({ endedBefore: NOW + SECOND, limit: 10 })).toBe(0);
    const kept = (await adopted.list({ limit: 9 })).transactions;
    expect(kept.map(({ gid, status }) => `${gid} ${status}`)).toEqual(["later succeed", "due failed", "resting succeed"]);
    await adopted.close();
    await other.drop();
  });

  test("ids go on where dtm's sequence stands", async () => {
    const { id } = await storedTransaction(store, "resting");
    const given = saga();
    await store.create(given);
    expect((await storedTransaction(store, given.transaction.gid)).id).toBeGreaterThan(id);
  });

  test("a gid is found by its beginning, letter by letter", async () => {
    expect((await store.list({ limit: 9, gidPrefix: "rest" })).transactions.map(({ gid }) => gid)).toEqual(["resting"]);
    expect((await store.list({ limit: 9, gidPrefix: "REST" })).transactions).toEqual([]);
  });

  test("what dtm writes afterwards counts: its insert, its touch over our finer time, its owner", async () => {
    await inDatabase((client) => client.query(DTM_INSERT, ["of dtm"]));
    expect(await storedTransaction(store, "of dtm")).toMatchObject({
      attempts: 0,
      waitingOn: "",
      submitTime: null,
      rollbackReason: "",
    });
    const given = saga({ nextCronTime: NOW + 5_500 });
    const { gid } = given.transaction;
    await store.create(given);
    expect(await storedTransaction(store, gid)).toMatchObject({ nextCronTime: NOW + 5_500 });
    await inDatabase((client) => client.query(DTM_TOUCH, [gid, new Date(NOW + 40_000)]));
    expect(await storedTransaction(store, gid)).toMatchObject({ nextCronTime: NOW + 40_000, nextCronInterval: 40 });
  });

  test("what dtm finished is kept, however old; what we made goes (R30)", async () => {
    await inDatabase((client) =>
      client.query(`
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

  test("what dtm ended waits for no destination any more, whatever it left in our column", async () => {
    const waitingOn = "http://down/";
    const [left, given] = [saga({ waitingOn, nextCronTime: NOW + SECOND }), saga({ waitingOn, nextCronTime: NOW + 2 * SECOND })];
    for (const one of [left, given]) await store.create(one);
    const ended = left.transaction.gid;
    await inDatabase((client) => client.query("UPDATE trans_global SET status = 'succeed' WHERE gid = $1", [ended]));
    expect(await store.waitingDestinations(2)).toEqual([]);
    expect(gidsOf(await store.claimWaiting(waitingOn, { owner: "here:7", limit: 1, now: NOW }))).toEqual([given.transaction.gid]);
    expect(await store.wakeWaiting(waitingOn, 9, NOW)).toBe(0);
  });

  test("a row of a dtm whose zone was east of the server's doesn't rest for hours, one that backs off keeps its time (R19)", async () => {
    const other = await postgresDatabase();
    const insert = `
      INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
      VALUES ($1, 'tcc', 'prepared', '', 'http', now(), now() + $2 * interval '1 hour', 10, now() + $3 * interval '1 second', 'ofDtm')`;
    await inPostgres(async (client) => {
      await client.query(POSTGRES_TABLES_OF_DTM);
      await client.query(insert, ["east", 8, 8 * 3600 + 10]);
      await client.query(insert, ["backing off", 0, 7_200]);
    }, other.name);
    const before = Date.now();
    const dueIn = async (of: Store, gid: string) => (await storedTransaction(of, gid)).nextCronTime - before;
    const opened = openPostgres(postgresAddress(other.name));
    await opened.open();
    expect(await dueIn(opened, "east")).toBeLessThan(60 * SECOND);
    expect(await dueIn(opened, "backing off")).toBeGreaterThan(7_000 * SECOND);
    // Ours, one of which dtm touches while it has the tables back; the other a node wrote whose clock is ahead.
    const ours = { updateTime: before + 3_600 * SECOND, nextCronTime: before + 7_200 * SECOND + 1 };
    await opened.create(saga({ gid: "touched" }));
    await opened.create(saga({ gid: "ours", ...ours }));
    await opened.close();
    const touched = new Date(before + 8 * 3_600 * SECOND);
    await inPostgres((client) => client.query(DTM_TOUCH, ["touched", touched]), other.name);
    const back = openPostgres(postgresAddress(other.name));
    await back.open();
    expect(await dueIn(back, "touched")).toBeLessThan(60 * SECOND);
    expect(await dueIn(back, "ours")).toBe(7_200 * SECOND + 1);
    await back.close();
    await other.drop();
  });

  test("however many rows dtm left, a statement changes a portion of them", async () => {
    const other = await postgresDatabase();
    const opened = openPostgres(postgresAddress(other.name));
    await opened.open();
    await opened.close();
    await inPostgres(
      (client) =>
        client.query(`
        INSERT INTO trans_global (gid, trans_type, status, query_prepared, protocol, create_time, update_time, next_cron_interval, next_cron_time, owner)
        SELECT 'g' || i, 'saga', 'submitted', '', 'http', now(), now() + interval '8 hours', 10, now() + interval '9 hours', 'ofDtm'
        FROM generate_series(1, 9) i`),
      other.name,
    );
    const pool = new Pool(postgresAddress(other.name), 1);
    const client = await pool.dedicated();
    const db = new Connection(client, pool.tables);
    const run = jest.spyOn(db, "run");
    await adopt(db, { found: 4, changed: 3 });
    // First which ids are dtm's, last what dead nodes left.
    const changed = await Promise.all(run.mock.results.map(({ value }) => value));
    expect(changed).toEqual([1, 3, 1, 3, 1, 1, 3, 1, 3, 1, 1, 0]);
    const left = await db.rows(
      "SELECT count(*) FROM trans_global WHERE owner <> '' OR next_cron_time > now() + interval '1 hour'",
      [],
    );
    expect(left).toEqual([[0]]);
    await client.end();
    await pool.end();
    await other.drop();
  });

  test("an operator's limit for statements doesn't end what takes longer", async () => {
    const other = await postgresDatabase();
    await inPostgres((client) => client.query(DTM), other.name);
    await postgresMigrator(postgresAddress(other.name)).migrate();
    const pool = new Pool(postgresAddress(other.name), 1);
    const client = await pool.dedicated();
    await client.query("SET statement_timeout = 200");
    const adopted = await inPostgres(async (holder) => {
      await holder.query("BEGIN; SELECT FROM trans_global FOR UPDATE");
      const adopting = adopt(new Connection(client, pool.tables)).then(() => "adopted", String);
      await new Promise((resolve) => setTimeout(resolve, 700));
      await holder.query("COMMIT");
      return adopting;
    }, other.name);
    expect(adopted).toBe("adopted");
    await client.end();
    await pool.end();
    await other.drop();
  });

  test("dtm takes what we left, and we take it back", async () => {
    await store.close();
    const taken = await inDatabase(async (client) => {
      let rows = 0;
      for (let look = 0; look < 10; look++) rows += (await client.query(DTM_LOCK_ONE, ["ownerOfDtm"])).rowCount ?? 0;
      return rows;
    });
    expect(taken).toBeGreaterThan(0);
    store = await open();
    const owned = await inDatabase((client) => client.query("SELECT gid FROM trans_global WHERE owner = 'ownerOfDtm'"));
    expect(owned.rowCount).toBe(0);
  });
});
