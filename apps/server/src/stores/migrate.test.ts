import { type AppliedMigration, checksumOf, type Migration, MigrationRefused, type MigrationTarget, migrate } from "./migrate.js";

const one: Migration = { version: 1, name: "first", sql: "CREATE TABLE a (b)" };
const two: Migration = { version: 2, name: "second", sql: "ALTER TABLE a ADD c" };

function database() {
  let applied: AppliedMigration[] = [];
  const ran: string[] = [];
  const target: MigrationTarget = async (work) => {
    const before = applied;
    try {
      return await work({
        prepare: async () => undefined,
        applied: async () => applied,
        apply: async (migration, checksum) => {
          if (migration.sql === "BROKEN") throw new Error("syntax");
          ran.push(migration.sql);
          applied = [...applied, { version: migration.version, name: migration.name, checksum }];
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
