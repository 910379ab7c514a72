import {
  type AppliedMigration,
  checksumOf,
  type Migration,
  MigrationRefused,
  type MigrationTarget,
  migrate,
  requireCurrent,
  type Schema,
} from "./migrate.js";

const one: Migration = { version: 1, name: "first", sql: "CREATE TABLE a (b)" };
const two: Migration = { version: 2, name: "second", sql: "ALTER TABLE a ADD c" };

/** Of tables that nobody looks into: these migrations aren't laid out as ours are. */
const noting = (applied: readonly AppliedMigration[]): Schema => ({ notes: "notes", applied, columns: new Set() });

function database() {
  let applied: AppliedMigration[] = [];
  const ran: string[] = [];
  const target: MigrationTarget = async (work) => {
    const before = applied;
    try {
      return await work({
        prepare: async () => undefined,
        schema: async () => noting(applied),
        apply: async (migration, checksum) => {
          if (migration.sql === "BROKEN") throw new Error("syntax");
          ran.push(migration.sql);
          applied = [...applied, { version: migration.version, name: migration.name, checksum, done: true }];
        },
      });
    } catch (cause) {
      applied = before;
      throw cause;
    }
  };
  return { target, ran, applied: () => applied };
}

test("applies what is missing, in order, once", async () => {
  const db = database();
  expect(await migrate(db.target, [one])).toEqual([one]);
  expect(await migrate(db.target, [one, two])).toEqual([two]);
  expect(await migrate(db.target, [one, two])).toEqual([]);
  expect(db.ran).toEqual([one.sql, two.sql]);
  expect(db.applied().map((done) => done.checksum)).toEqual([checksumOf(one), checksumOf(two)]);
});

test("a newer schema stops with both versions named", async () => {
  const db = database();
  await migrate(db.target, [one, two]);
  await expect(migrate(db.target, [one])).rejects.toThrow(/schema version 2 \(second\), this server knows 1/);
});

test("a row that is missing among the notes is named", async () => {
  const applied = [{ ...two, checksum: checksumOf(two), done: true }];
  expect(() => requireCurrent(noting(applied), [one, two])).toThrow(
    /^the notes of migrations have schema version 2 \(second\) but not 1 \(first\): restore its row from the backup/,
  );
});

test("an edited migration is refused", async () => {
  const db = database();
  await migrate(db.target, [one]);
  await expect(migrate(db.target, [{ ...one, sql: "CREATE TABLE a (z)" }, two])).rejects.toThrow(MigrationRefused);
  expect(db.applied()).toHaveLength(1);
});

test("a migration that fails leaves the schema as it was", async () => {
  const db = database();
  await expect(migrate(db.target, [one, { version: 2, name: "bad", sql: "BROKEN" }])).rejects.toThrow("syntax");
  expect(db.applied()).toEqual([]);
});

test("one that broke off is refused, and nothing runs over it", async () => {
  const ran: string[] = [];
  const target: MigrationTarget = (work) =>
    work({
      prepare: async () => undefined,
      schema: async () => noting([{ version: 1, name: "first", checksum: checksumOf(one), done: false }]),
      apply: async ({ sql }) => void ran.push(sql),
    });
  await expect(migrate(target, [one, two])).rejects.toThrow(/^schema version 1 \(first\) was begun and broke off/);
  expect(ran).toEqual([]);
});

test("a start that may not migrate wants all of it, and says what does it", async () => {
  const db = database();
  expect(() => requireCurrent(noting([]), [one, two])).toThrow(
    /^the schema lacks 1 first, 2 second, and AutoMigrate \(AUTO_MIGRATE\) is off: run "dtm migrate"/,
  );
  await migrate(db.target, [one, two]);
  expect(requireCurrent(noting(db.applied()), [one, two])).toBeUndefined();
  expect(() => requireCurrent(noting(db.applied()), [one])).toThrow(/this server knows 1/);
});
