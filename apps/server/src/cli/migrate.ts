/** `dtm migrate`: makes the schema's changes as a start does; with `--check` it only says what there is to do, or in the way. */
import { setTimeout as pause } from "node:timers/promises";
import type { Config } from "../config/schema.js";
import { type Migrator, titleOf } from "../stores/migrate.js";
import { explainOpening, openMigrator, patiently } from "../stores/open.js";

/** Longer than a dtm with due work pauses between two looks for it (TransCronInterval, 3 s). */
const LOOK_MS = 4_000;

export interface Migrating {
  readonly check: boolean;
  readonly say: (line: string) => void;
  /** Of work that takes long. */
  readonly progress: (line: string) => void;
  /** Between the two looks of `--check`. Default: four seconds. */
  readonly pause?: () => Promise<void>;
}

/** False when the check found something. */
export async function migrateStore(config: Config, asked: Migrating): Promise<boolean> {
  const migrator = await openMigrator(config);
  if (migrator === null) {
    asked.say(`${config.Store.Driver} needs no migration: it has no tables`);
    return true;
  }
  try {
    return asked.check ? await checked(migrator, asked) : await migrated(migrator, asked);
  } catch (cause) {
    throw explainOpening(cause);
  }
}

async function migrated(migrator: Migrator, { say, progress }: Migrating): Promise<true> {
  const applied = await patiently(
    () => migrator.migrate(),
    (why) => progress(`not done yet: ${why}`),
  );
  for (const migration of applied) say(`applied: ${titleOf(migration)}`);
  if (applied.length === 0) say(`up to date: ${newest(migrator)}`);
  return true;
}

async function checked(migrator: Migrator, { say, pause: between = () => pause(LOOK_MS) }: Migrating): Promise<boolean> {
  const findings = await migrator.check(between);
  for (const finding of findings) say(finding);
  if (findings.length === 0) say(`up to date: ${newest(migrator)}; nobody writes`);
  return findings.length === 0;
}

function newest({ known }: Migrator): string {
  const last = known.at(-1);
  return last === undefined ? "nothing is known" : titleOf(last);
}
