/**
 * Brings a database to the schema that this server knows: plain SQL per version, forward only, all in one transaction under the
 * database's lock. What was applied is kept with a checksum, so that an edited migration or a newer schema stops the start.
 */
import { createHash } from "node:crypto";

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
}

/** What the runner needs of a database, inside its transaction and lock. */
export interface MigrationSession {
  /** Creates the table of applied versions when it is absent. */
  prepare(): Promise<void>;
  /** In order of version. */
  applied(): Promise<readonly AppliedMigration[]>;
  /** Runs the SQL and notes the version. */
  apply(migration: Migration, checksum: string): Promise<void>;
}

/** Runs `work` in one transaction that no second migration can be in; what throws rolls back. */
export type MigrationTarget = <T>(work: (session: MigrationSession) => Promise<T>) => Promise<T>;

export class MigrationRefused extends Error {
  override readonly name = "MigrationRefused";
}

export function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}

/** Returns what it applied, nothing when the schema was current. */
export function migrate(target: MigrationTarget, known: readonly Migration[]): Promise<readonly Migration[]> {
  return target(async (session) => {
    await session.prepare();
    const missing = pending(await session.applied(), known);
    for (const migration of missing) await session.apply(migration, checksumOf(migration));
    return missing;
  });
}

/** Throws when what is applied isn't a beginning of what is known. */
export function pending(applied: readonly AppliedMigration[], known: readonly Migration[]): readonly Migration[] {
  for (const [index, done] of applied.entries()) {
    const migration = known[index];
    if (migration === undefined) {
      throw new MigrationRefused(
        `the database has schema version ${done.version} (${done.name}), this server knows ${known.length}: start the newer server again, or restore a backup`,
      );
    }
    if (migration.version !== done.version || checksumOf(migration) !== done.checksum) {
      throw new MigrationRefused(
        `schema version ${done.version} (${done.name}) was applied in another form than this server's ${migration.version} (${migration.name}): it is not this server's database`,
      );
    }
  }
  return known.slice(applied.length);
}
