/** What `dtm migrate` does on a database that servers share, and what `--check` finds there without changing anything (R28). */
import { saga } from "../../contract/fixtures.js";
import { MigrationRefused, type Migrator, titleOf } from "../../migrate.js";
import type { Store } from "../../store.js";

export interface MigratableDatabase {
  readonly migrator: Migrator;
  /** A server's start. */
  open(options: { readonly autoMigrate: boolean }): Promise<Store>;
  run(sql: string): Promise<void>;
  tables(): Promise<readonly string[]>;
  /** Does `work` while another server migrates. */
  whileMigrating<T>(work: () => Promise<T>): Promise<T>;
  readonly sql: {
    /** The tables as dtm makes them. */
    readonly ofDtm: string;
    /** dtm's insert of an unfinished saga "of-dtm". */
    readonly insert: string;
    /** dtm takes that saga. */
    readonly take: string;
    /** Version 99, "future", is applied. */
    readonly future: string;
  };
  dispose(): Promise<void>;
}

const noPause = async (): Promise<void> => undefined;

export function migrateContract(name: string, make: () => Promise<MigratableDatabase>): void {
  describe(`dtm migrate on ${name}`, () => {
    let database: MigratableDatabase;
    beforeEach(async () => {
      database = await make();
    });
    afterEach(() => database.dispose());

    const pending = (): string[] => database.migrator.known.map((migration) => `pending: ${titleOf(migration)}`);
    const check = (pause = noPause): Promise<readonly string[]> => database.migrator.check(pause);

    test("an empty database: looking makes nothing, migrating makes it, once", async () => {
      expect(await check()).toEqual(pending());
      expect(await database.tables()).toEqual([]);
      expect(await database.migrator.migrate()).toEqual(database.migrator.known);
      expect(await check()).toEqual([]);
      expect(await database.migrator.migrate()).toEqual([]);
    });

    test("dtm's tables: they are told, kept with what is in them, and added to", async () => {
      await database.run(database.sql.ofDtm);
      await database.run(database.sql.insert);
      const before = await database.tables();
      expect(await check()).toEqual(pending().map((line) => `${line}, on the tables that dtm made; nothing in them is dropped`));
      expect(await database.tables()).toEqual(before);
      expect(await database.migrator.migrate()).toEqual(database.migrator.known);
      expect(await check()).toEqual([]);
      const store = await database.open({ autoMigrate: false });
      expect((await store.find("of-dtm"))?.transaction).toMatchObject({ status: "submitted", attempts: 0 });
      await store.close();
    });

    /** What a start says, with migrating allowed and without. */
    const refusals = async (): Promise<string[]> => {
      const opening = [true, false].map(async (autoMigrate) => (await database.open({ autoMigrate })).close());
      const settled = await Promise.allSettled(opening);
      return settled.map((answer) => (answer.status === "rejected" ? String(answer.reason) : "opened"));
    };
    const expectRefused = async (line: RegExp): Promise<void> => {
      expect(await check()).toEqual([expect.stringMatching(line)]);
      const words = new RegExp(`^\\w+: ${line.source.slice(1)}`);
      expect(await refusals()).toEqual([expect.stringMatching(words), expect.stringMatching(words)]);
    };

    test.each([
      [
        "trans_global",
        "due_at",
        /^the table trans_global lacks the column due_at, though dtm_migration notes schema version 1 \(initial\) as applied: restore the backup, or add again "due_at bigint[^"]*"$/,
      ],
      [
        "trans_branch_op",
        "bin_data",
        /^the table trans_branch_op lacks the column bin_data, though dtm_migration notes .*: restore the backup, or add again "bin_data \w+"$/,
      ],
    ])("%s without its %s: told, by a start too", async (table, column, line) => {
      await database.migrator.migrate();
      await database.run(`ALTER TABLE ${table} DROP COLUMN ${column}`);
      await expectRefused(line);
    });

    test.each(["trans_global", "trans_branch_op", "kv", "dtm_node", "dtm_lane", "dtm_adopted"])(
      "without %s: told, by a start too",
      async (table) => {
        await database.migrator.migrate();
        await database.run(`DROP TABLE ${table}`);
        const noted = "though dtm_migration notes schema version \\d \\(\\w+\\) as applied: restore the backup$";
        await expectRefused(new RegExp(`^the table ${table} is missing, ${noted}`));
        expect(await database.tables()).not.toContain(table);
      },
    );

    test("columns of dtm that we don't use may be absent", async () => {
      await database.migrator.migrate();
      await database.run("ALTER TABLE trans_global DROP COLUMN ext_data");
      expect(await check()).toEqual([]);
      expect(await refusals()).toEqual(["opened", "opened"]);
    });

    test("tables of an older dtm: what they lack is told before anything is added", async () => {
      await database.run(database.sql.ofDtm);
      await database.run("ALTER TABLE trans_global DROP COLUMN rollback_reason");
      const before = await database.tables();
      await expectRefused(
        /^the table trans_global, which dtm made, lacks the column rollback_reason: add "rollback_reason varchar\(1024\) DEFAULT ''"/,
      );
      expect(await database.tables()).toEqual(before);
      await database.run("ALTER TABLE trans_global ADD COLUMN rollback_reason varchar(1024) DEFAULT ''");
      expect(await database.migrator.migrate()).toEqual(database.migrator.known);
      expect(await check()).toEqual([]);
    });

    test("which rows are dtm's is forgotten, or said twice", async () => {
      await database.migrator.migrate();
      await database.run("DELETE FROM dtm_adopted");
      await expectRefused(
        /^the table dtm_adopted has no row in place of one, so .*: restore it from the backup, or leave one row in it/,
      );
      await database.run("INSERT INTO dtm_adopted VALUES (0), (7)");
      await expectRefused(/^the table dtm_adopted has 2 rows in place of one/);
      await database.run("DELETE FROM dtm_adopted WHERE last_id = 7");
      expect(await check()).toEqual([]);
      expect(await refusals()).toEqual(["opened", "opened"]);
    });

    test.each([
      ["all of it", "DELETE FROM dtm_migration", "1 \\(initial\\), 2 \\(adopted\\)", "trans_global.submit_time"],
      ["the table", "DROP TABLE dtm_migration", "1 \\(initial\\), 2 \\(adopted\\)", "trans_global.submit_time"],
      ["its last row", "DELETE FROM dtm_migration WHERE version = 2", "2 \\(adopted\\)", "dtm_adopted.last_id"],
    ])(
      "what was applied is forgotten, %s: told, by a start too, which leaves it at that",
      async (_, forget, versions, example) => {
        await database.migrator.migrate();
        await database.run(forget);
        const before = await database.tables();
        const line = `^dtm_migration doesn't note schema version ${versions}, though what that made is there \\(${example}\\): restore its rows`;
        await expectRefused(new RegExp(line));
        await expectRefused(new RegExp(line));
        expect(await database.tables()).toEqual(before);
      },
    );

    test("the first row of what was applied is forgotten", async () => {
      await database.migrator.migrate();
      await database.run("DELETE FROM dtm_migration WHERE version = 1");
      await expectRefused(/^the notes of migrations have schema version 2 \(adopted\) but not 1 \(initial\): restore its row/);
    });

    test("a schema of a newer release: told, and left alone", async () => {
      await database.migrator.migrate();
      await database.run(database.sql.future);
      const newer = /the database has schema version 99 \(future\), this server knows \d+: start the newer server again/;
      expect(await check()).toEqual([expect.stringMatching(newer)]);
      await expect(database.migrator.migrate()).rejects.toThrow(newer);
    });

    test("dtm writes while this looks: before the migration and after it", async () => {
      await database.run(database.sql.ofDtm);
      const made = await check(() => database.run(database.sql.insert));
      expect(made.at(-1)).toMatch(
        /^trans_global changes .* of gid of-dtm\), and no server of ours is alive: if dtm is running, stop it/,
      );
      await database.migrator.migrate();
      expect(await check(() => database.run(database.sql.take))).toEqual([
        expect.stringMatching(/^dtm writes to trans_global while this looks \(as the row of gid of-dtm\): stop it before/),
      ]);
      expect(await check()).toEqual([]);
    });

    test("a server of ours writes while this looks", async () => {
      const store = await database.open({ autoMigrate: true });
      await store.heartbeat("here", 3_600_000);
      const given = saga();
      const found = await check(async () => void (await store.create(given)));
      expect(found).toEqual([
        `trans_global changes while this looks (as the row of gid ${given.transaction.gid}): a server of ours works on it`,
      ]);
      await store.close();
    });

    test("another server is at it", async () => {
      const found = await database.whileMigrating(() => check());
      expect(found).toEqual(["another server migrates this database right now: look again when it is done"]);
    });

    test("with AutoMigrate off a start refuses what isn't migrated, and makes nothing", async () => {
      const refused = await database.open({ autoMigrate: false }).then(
        () => null,
        (cause: unknown) => cause,
      );
      expect(refused).toBeInstanceOf(MigrationRefused);
      expect(String(refused)).toMatch(/the schema lacks 1 initial.*, and AutoMigrate \(AUTO_MIGRATE\) is off: run "dtm migrate"/);
      expect(await database.tables()).toEqual([]);
      await database.migrator.migrate();
      const store = await database.open({ autoMigrate: false });
      await store.close();
    });
  });
}
