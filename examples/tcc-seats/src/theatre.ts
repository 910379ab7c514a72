/** A theatre: seats are free, held for somebody who is still deciding, or sold. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/libsql";
import type { BranchAddress } from "@dtm/client";
import type { Express } from "express";
import type Database from "libsql";
import type { Seats, theatreAt } from "./branches.js";

export function createTables(db: Database.Database, free: number): void {
  barrier.createTable(db);
  db.exec("create table seats (free integer not null, held integer not null, sold integer not null)");
  db.prepare("insert into seats values (?, 0, 0)").run(free);
}

export function serveTheatre(
  app: Express,
  db: Database.Database,
  { reserve, confirm, cancel }: ReturnType<typeof theatreAt>,
): void {
  const hold = db.prepare("update seats set free = free - ?1, held = held + ?1 where free >= ?1");
  const sell = db.prepare("update seats set held = held - ?1, sold = sold + ?1");
  const release = db.prepare("update seats set held = held - ?1, free = free + ?1");

  // Try refuses what it can't hold, so that confirm and cancel never have to: those two are called until they succeed.
  serve(reserve, ({ count }) => {
    if (hold.run(count).changes === 0) throw new Failure(`there are less than ${count} free seats`);
  });
  serve(confirm, ({ count }) => void sell.run(count));
  // Skipped when nothing was held; a try that comes after it is skipped, too.
  serve(cancel, ({ count }) => void release.run(count));

  function serve(address: BranchAddress<Seats>, work: (seats: Seats) => void): void {
    const handler = branchHandler(address, (seats) => {
      db.transaction(() => barrier.run(db, () => work(seats))).immediate();
    });
    app.post(new URL(address.url).pathname, handler);
  }
}
