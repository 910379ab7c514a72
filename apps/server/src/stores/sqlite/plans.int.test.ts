/** What a claim costs must not grow with what is finished: the plans name the indexes that only hold what rests or waits. */
import { NOW } from "../contract/fixtures.js";
import { migrate } from "../migrate.js";
import { type Bound, Database, type StoredRow } from "./database.js";
import { migrationTarget } from "./migration-target.js";
import { MIGRATIONS } from "./migrations/index.js";
import { dueGlobals, nextDue } from "./sql/claim-due.js";
import { globalsByOwner } from "./sql/read-global.js";
import { resetDue } from "./sql/reset-due.js";
import { settleBranches } from "./sql/settle-branch.js";
import { waitingDestinations, waitingGlobals, wakeWaiting } from "./sql/waiting.js";

/** Notes how SQLite would go about each statement. */
class Explaining extends Database {
  readonly steps: string[] = [];
  on = false;

  override run(sql: string, values: readonly Bound[]): number {
    this.#explain(sql, values);
    return super.run(sql, values);
  }

  override get(sql: string, values: readonly Bound[]): StoredRow | undefined {
    this.#explain(sql, values);
    return super.get(sql, values);
  }

  override all(sql: string, values: readonly Bound[]): StoredRow[] {
    this.#explain(sql, values);
    return super.all(sql, values);
  }

  #explain(sql: string, values: readonly Bound[]): void {
    if (!this.on) return;
    const plan = super.all(`EXPLAIN QUERY PLAN ${sql}`, values);
    this.steps.push(...plan.map((step) => String(step[3])));
  }
}

async function stepsOf(work: (db: Database) => void): Promise<string> {
  const db = new Explaining(":memory:", { busyMs: 0 });
  await migrate(migrationTarget(db, NOW), MIGRATIONS);
  db.on = true;
  work(db);
  db.close();
  return db.steps.filter((step) => step.includes("trans_")).join("\n");
}

test.each<readonly [string, string, (db: Database) => void]>([
  ["claims", "trans_global_resting", (db) => dueGlobals(db, NOW, 10)],
  ["the next due time", "trans_global_resting", (db) => nextDue(db)],
  ["claims of waiting rows", "trans_global_waiting", (db) => waitingGlobals(db, "http://down", 1)],
  ["waking", "trans_global_waiting", (db) => wakeWaiting(db, "http://down", 1, NOW)],
  ["waiting destinations", "trans_global_waiting", (db) => waitingDestinations(db, 20)],
  ["reading back a claim", "trans_global_status", (db) => globalsByOwner(db, "here:1")],
  ["the bulk reset", "trans_global_status", (db) => resetDue(db, NOW, NOW, 9)],
  [
    "settling a branch",
    "trans_branch_op_gid_branch_op",
    (db) => settleBranches(db, "g", [{ branchId: "01", op: "action", status: "succeed", at: NOW }]),
  ],
])("%s go by %s", async (_, index, work) => {
  const steps = await stepsOf(work);
  expect(steps).toContain(index);
  for (const step of steps.split("\n")) if (/^SCAN trans_/.test(step)) expect(step).toContain(`INDEX ${index}`);
});
