/** Two evenings out, with seats in two theatres: one that comes true, and one for which the second theatre is too full. */
import { Failure } from "@dtm/client";
import { story } from "@dtm/example-kit";
import express from "express";
import Database from "libsql";
import { theatreAt } from "./branches.js";
import { createTables, serveTheatre } from "./theatre.js";

await story({ title: "TCC: seats in two theatres" }, async ({ client, say, serve }) => {
  async function open(name: string, free: number) {
    const db = new Database(":memory:");
    createTables(db, free);
    const app = express();
    const branches = theatreAt(await serve(app));
    serveTheatre(app, db, branches);
    return { name, db, branches };
  }
  const [opera, cabaret] = [await open("opera", 10), await open("cabaret", 3)];

  async function reserve(guest: string, count: number): Promise<void> {
    const gid = await client.newGid();
    say(`${guest} wants ${count} seats in both`);
    try {
      await client.tcc({ gid }, async (tcc) => {
        for (const { branches } of [opera, cabaret]) {
          const { reserve, confirm, cancel } = branches;
          await tcc.branch({ try: reserve, confirm, cancel, payload: { guest, count } });
        }
        say("  held in both");
      });
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      say("  refused");
    }
    say(`  ${(await client.waitFor(gid)).status}`);
    sayState();
  }

  function sayState(): void {
    for (const { name, db } of [opera, cabaret]) {
      const row = db.prepare("select * from seats").get() as Record<"free" | "held" | "sold", number>;
      say(`  ${name}: ${row.free} free, ${row.held} held, ${row.sold} sold`);
    }
  }

  sayState();
  await reserve("Ann", 2);
  await reserve("Ben", 2);
});
