/**
 * Brings a database to the schema that this server knows: plain SQL per version, forward only, all in one transaction under the
 * database's lock. What was applied is kept with a checksum, so that an edited migration or a newer schema stops the start.
 */
import { createHash } from "node:crypto";
import { damageOf } from "./relational/damage.js";

export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  /** False: begun, and under way or broken off. Only where a change of the schema can't be rolled back (MySQL). */
  readonly done: boolean;
}

/** A schema as a database has it. */
export interface Schema {
  /** The table that notes what is applied. */
  readonly notes: string;
  /** What it notes, in order of version; none where it is absent. */
  readonly applied: readonly AppliedMigration[];
  /** What is there of the tables that migrations make, as `table.column`. */
  readonly columns: ReadonlySet<string>;
}

/** What the runner needs of a database, inside its transaction and lock. */
export interface MigrationSession {
  schema(): Promise<Schema>;
  /** Creates the table of applied versions when it is absent. */
  prepare(): Promise<void>;
  /** Runs the SQL and notes the version. */
  apply(migration: Migration, checksum: string): Promise<void>;
}

/** Runs `work` in one transaction that no second migration can be in; what throws rolls back. */
export type MigrationTarget = <T>(work: (session: MigrationSession) => Promise<T>) => Promise<T>;

/** What `dtm migrate` asks of a store with a schema. */
export interface Migrator {
  /** In order of version; never empty. */
  readonly known: readonly Migration[];
  /** As a start does it. Returns what it applied. */
  migrate(): Promise<readonly Migration[]>;
  /** Changes nothing. One line for each thing that is to be done or in the way; `pause` lies between two looks at the rows. */
  check(pause: () => Promise<void>): Promise<readonly string[]>;
}

/** How long a start waits for another server that migrates. */
export const MIGRATION_PATIENCE_S = 120;

export function somebodyMigrates(database: string): string {
  return `another server migrates ${database} since ${MIGRATION_PATIENCE_S} s: start again when it is done`;
}

export class MigrationRefused extends Error {
  override readonly name = "MigrationRefused";
}

export function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}

/** Returns what it applied, nothing when the schema was current. */
export function migrate(target: MigrationTarget, known: readonly Migration[]): Promise<readonly Migration[]> {
  return target(async (session) => {
    const missing = pending(await session.schema(), known);
    // Who may not make tables may start all the same when there is nothing to make.
    if (missing.length > 0) await session.prepare();
    for (const migration of missing) await session.apply(migration, checksumOf(migration));
    return missing;
  });
}

/** For a start that may not migrate by itself. */
export function requireCurrent(schema: Schema, known: readonly Migration[]): void {
  const missing = pending(schema, known);
  if (missing.length === 0) return;
  const titles = missing.map(titleOf).join(", ");
  throw new MigrationRefused(
    `the schema lacks ${titles}, and AutoMigrate (AUTO_MIGRATE) is off: run "dtm migrate" with these settings first`,
  );
}

/** Throws when what is applied isn't a beginning of what is known, or isn't there any more. */
function pending(schema: Schema, known: readonly Migration[]): readonly Migration[] {
  const [trouble] = [...troublesOf(schema.applied, known), ...damagesIn(schema, known)];
  if (trouble !== undefined) throw new MigrationRefused(trouble);
  return known.slice(schema.applied.length);
}

/** Where the tables aren't what is noted of them, one line each; none where already the notes are in the way. */
export function damagesIn(schema: Schema, known: readonly Migration[]): readonly string[] {
  return troublesOf(schema.applied, known).length > 0 ? [] : damageOf(schema, known);
}

/** What keeps this server from the database's schema, one line each. */
export function troublesOf(applied: readonly AppliedMigration[], known: readonly Migration[]): readonly string[] {
  const brokeOff = applied.flatMap(({ version, name, done }) =>
    done
      ? []
      : [
          `schema version ${version} (${name}) was begun and broke off: restore the backup, or undo what it made and delete its row in dtm_migration`,
        ],
  );
  const difference = differenceOf(applied, known);
  return difference === null ? brokeOff : [...brokeOff, difference];
}

function differenceOf(applied: readonly AppliedMigration[], known: readonly Migration[]): string | null {
  for (const [index, done] of applied.entries()) {
    const migration = known[index];
    if (migration === undefined)
      return `the database has schema version ${done.version} (${done.name}), this server knows ${known.length}: start the newer server again, or restore a backup`;
    if (migration.version < done.version)
      return `the notes of migrations have schema version ${done.version} (${done.name}) but not ${migration.version} (${migration.name}): restore its row from the backup, or from another database that this release migrated`;
    if (migration.version !== done.version || checksumOf(migration) !== done.checksum)
      return `schema version ${done.version} (${done.name}) was applied in another form than this server's ${migration.version} (${migration.name}): it is not this server's database`;
  }
  return null;
}

export function titleOf({ version, name }: Migration): string {
  return `${version} ${name}`;
}
