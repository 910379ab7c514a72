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
