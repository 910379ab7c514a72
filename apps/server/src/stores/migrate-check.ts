/**
 * `dtm migrate --check` on a database that servers share: is its schema current, and does somebody write to it. dtm and this server
 * must never work on one database at once (R28), and nothing but its writes tells that a dtm is still running.
 */
import { type AppliedMigration, type Migration, titleOf, troublesOf } from "./migrate.js";

/** What the check reads; none of it changes anything. */
export interface Examined {
  /** In order of version; none where no server of ours ever started. */
  applied(): Promise<readonly AppliedMigration[]>;
  /** Whether somebody holds the lock of migrations. */
  migrating(): Promise<boolean>;
  /** Null: there is no table of transactions. */
  look(): Promise<Look | null>;
  /** How many servers of ours are alive on it. */
  liveServers(): Promise<number>;
}

/** The rows that were made or written last, which is where a write shows. */
export interface Look {
  /** All of them: an old one that ended since is in neither look. */
  readonly unfinished: number;
  readonly rows: readonly LookedAt[];
}

export interface LookedAt {
  readonly gid: string;
  readonly status: string;
  readonly owner: string;
  /** As the database writes them; they sort by time. */
  readonly updated: string;
  readonly due: string;
}

/** How many rows one look reads of each sort. */
export const LOOK_LIMIT = 1_000;

export async function check(
  database: Examined,
  known: readonly Migration[],
  pause: () => Promise<void>,
): Promise<readonly string[]> {
  const before = await database.look();
  const applied = await database.applied();
  const schema = (await database.migrating())
    ? ["another server migrates this database right now: look again when it is done"]
    : schemaFindings(applied, known, { ofDtm: before !== null && applied.length === 0 });
  if (before === null) return schema;
  await pause();
  const writer = await writerBetween(database, before);
  return writer === null ? schema : [...schema, writer];
}

export function schemaFindings(
  applied: readonly AppliedMigration[],
  known: readonly Migration[],
  tables: { readonly ofDtm: boolean },
): readonly string[] {
  const troubles = troublesOf(applied, known);
  if (troubles.length > 0) return troubles;
  return known.slice(applied.length).map((migration) => {
    const where = tables.ofDtm ? ", on the tables that dtm made; nothing in them is dropped" : "";
    return `pending: ${titleOf(migration)}${where}`;
  });
}

async function writerBetween(database: Examined, before: Look): Promise<string | null> {
  const after = await database.look();
  if (after === null) return null;
  const known = new Set(before.rows.map(fingerprint));
  const written = after.rows.filter((row) => !known.has(fingerprint(row)));
  if (written.length === 0 && after.unfinished === before.unfinished && after.rows.length === before.rows.length) return null;
  const last = written.reduce<LookedAt | null>(
    (newest, row) => (newest === null || row.updated > newest.updated ? row : newest),
    null,
  );
  const which = last === null ? "" : ` (as the row of gid ${last.gid})`;
  const stop = "stop it before this server starts, the two never share a database (R28)";
  if (written.some(({ owner }) => ofDtm(owner))) return `dtm writes to trans_global while this looks${which}: ${stop}`;
  const live = await database.liveServers();
  if (live === 0)
    return `trans_global changes while this looks${which}, and no server of ours is alive: if dtm is running, ${stop}`;
  return `trans_global changes while this looks${which}: ${live === 1 ? "a server of ours works" : `${live} servers of ours work`} on it`;
}

/** Ours have a colon (R1); dtm's random id has none. */
function ofDtm(owner: string): boolean {
  return owner !== "" && !owner.includes(":");
}

function fingerprint({ gid, status, owner, updated, due }: LookedAt): string {
  return JSON.stringify([gid, status, owner, updated, due]);
}
