/** `dtm migrate` on a folder, and a start that may not migrate. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openIn, temporaryFolder } from "../../../test/kit/temporary-sqlite.js";
import { NOW, saga } from "../contract/fixtures.js";
import { MigrationRefused, type Migrator, titleOf } from "../migrate.js";
import { Database } from "./database.js";
import { sqliteMigrator } from "./migrator.js";
import { prepareDatabase } from "./prepare.js";

let folder: string;
let migrator: Migrator;
beforeEach(() => {
  folder = temporaryFolder();
  migrator = sqliteMigrator(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const check = (): Promise<readonly string[]> => migrator.check(async () => undefined);
const pending = (): string[] => migrator.known.map((migration) => `pending: ${titleOf(migration)}`);

test("no database yet: looking makes no file, and no folder", async () => {
  expect(await check()).toEqual(pending());
  expect(readdirSync(folder)).toEqual([]);
  const absent = join(folder, "absent");
  expect(await sqliteMigrator(absent).check(async () => undefined)).toEqual(pending());
  expect(existsSync(absent)).toBe(false);
});

test("migrating makes it, once, and a server opens it", async () => {
  expect(await migrator.migrate()).toEqual(migrator.known);
  expect(await check()).toEqual([]);
  expect(await migrator.migrate()).toEqual([]);
  const store = await openIn(folder, { autoMigrate: false });
  const given = saga();
  await store.create(given);
  await store.close();
  expect(await check()).toEqual([]);
  const again = await openIn(folder);
  expect(await again.find(given.transaction.gid)).not.toBeNull();
  await again.close();
});

test("an empty file is pending too", async () => {
  writeFileSync(join(folder, "dtm.db"), "");
  expect(await check()).toEqual(pending());
});

test("a schema of a newer release: told, and left alone", async () => {
  await migrator.migrate();
  const db = new Database(join(folder, "dtm.db"), { busyMs: 0 });
  db.run("INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (99, 'future', 'x', ?)", [NOW]);
  db.close();
  const newer = /^the database has schema version 99 \(future\), this server knows \d+: start the newer server again/;
  expect(await check()).toEqual([expect.stringMatching(newer)]);
  await expect(migrator.migrate()).rejects.toThrow(newer);
});

describe("a schema that isn't what its notes say: told, by a start too", () => {
  /** As the writer begins; it runs from the last build. */
  const start = async (autoMigrate: boolean): Promise<string> => {
    const file = join(folder, "dtm.db");
    const opening = prepareDatabase({ file, first: true, now: NOW, autoMigrate }).then(({ db }) => db.close());
    return opening.then(
      () => "opened",
      (cause: unknown) => String(cause),
    );
  };
  const expectRefused = async (sql: string, line: RegExp): Promise<void> => {
    await migrator.migrate();
    const db = new Database(join(folder, "dtm.db"), { busyMs: 0 });
    db.exec(sql);
    db.close();
    expect(await check()).toEqual([expect.stringMatching(line)]);
    for (const autoMigrate of [true, false])
      expect(await start(autoMigrate)).toMatch(new RegExp(`^MigrationRefused: ${line.source}`));
  };

  test("without a column", async () => {
    await expectRefused(
      "ALTER TABLE trans_global DROP COLUMN attempts",
      /the table trans_global lacks the column attempts, though schema_migrations notes schema version 1 \(initial\) as applied: restore the backup, or add again "attempts INTEGER NOT NULL DEFAULT 0"$/,
    );
  });

  test("without a table", async () => {
    await expectRefused(
      "DROP TABLE last_batch",
      /the table last_batch is missing, though schema_migrations notes schema version 1 \(initial\) as applied: restore the backup$/,
    );
  });

  test.each(["DELETE FROM schema_migrations", "DROP TABLE schema_migrations"])("%s", async (forget) => {
    await expectRefused(
      forget,
      /schema_migrations doesn't note schema version 1 \(initial\), though what that made is there \(trans_global\.id\): restore its rows/,
    );
  });
});

test("a server on the folder: one line that names it, for both (R25)", async () => {
  const store = await openIn(folder);
  const inUse = new RegExp(
    `^another server \\(pid ${process.pid} on .*\\) uses .*: stop it, or give this one a folder of its own$`,
  );
  await expect(check()).rejects.toThrow(inUse);
  await expect(migrator.migrate()).rejects.toThrow(inUse);
  await store.close();
});

test("what is no database is told and not touched", async () => {
  const file = join(folder, "dtm.db");
  writeFileSync(file, "something else entirely, and long enough to be read as a page of a database".repeat(20));
  await expect(check()).rejects.toThrow(/dtm\.db can't be opened: SQLITE_NOTADB/);
  await expect(migrator.migrate()).rejects.toThrow(/dtm\.db can't be opened: SQLITE_NOTADB/);
});

test("with AutoMigrate off a start refuses what isn't migrated, and makes no database", async () => {
  const refused = /^the schema lacks 1 initial.*, and AutoMigrate \(AUTO_MIGRATE\) is off: run "dtm migrate"/;
  const opening = openIn(folder, { autoMigrate: false });
  await expect(opening).rejects.toThrow(refused);
  await expect(opening).rejects.toBeInstanceOf(MigrationRefused);
  expect(existsSync(join(folder, "dtm.db"))).toBe(false);
  writeFileSync(join(folder, "dtm.db"), "");
  await expect(openIn(folder, { autoMigrate: false })).rejects.toThrow(refused);
});
