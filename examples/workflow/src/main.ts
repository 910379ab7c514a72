/** Three trips: one that is booked, one that is refused and undone, one whose service is killed in the middle. */
import { type ChildProcess, fork } from "node:child_process";
import { barrier } from "@dtm/barrier/pg";
import { databaseUrl, story } from "@dtm/example-kit";
import express from "express";
import pg from "pg";
import { airlineAt, bankAt } from "./branches.js";
import { fillTables } from "./database.js";
import { serveAirline, serveBank } from "./participants.js";
import type { Trip } from "./trip.js";

const STATE = `
  select format('%s: money %s, points %s, bookings %s', guest, balance, points,
    (select count(*) from workflow_booking b where b.guest = a.guest)) as state
  from workflow_account a join workflow_points using (guest)
  union all select format('%s: %s free seats, %s held', flight, free, held) from workflow_flight where flight = 'ZRH'
  order by 1`;

await story(
  { title: "A workflow of saga-like, local, XA and TCC-like steps", needs: ["DTM_TEST_POSTGRES"] },
  async ({ server, client, say, serve, freeUrl, atEnd }) => {
    const database = databaseUrl("DTM_TEST_POSTGRES");
    const pool = new pg.Pool({ connectionString: database });
    atEnd(() => pool.end());
    await barrier.createTable(pool);
    await fillTables(pool);

    const [bank, airline] = [express(), express()];
    const [bankUrl, airlineUrl] = [await serve(bank), await serve(airline)];
    let onReserved = (): void => undefined;
    serveBank(bank, pool, bankAt(bankUrl));
    serveAirline(airline, pool, airlineAt(airlineUrl), () => onReserved());

    const own = (await freeUrl()).origin;
    const start = () => startService([server, own, bankUrl, airlineUrl, database]);
    let service = await start();
    atEnd(() => stop(service));

    async function book(trip: Trip): Promise<string> {
      const gid = await client.newGid();
      const request = { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(trip) };
      const answer = await fetch(`${own}/trips/${gid}`, request).catch(() => null);
      say(answer === null ? "  no answer" : `  answer ${answer.status}: ${await answer.text()}`);
      return gid;
    }
    async function sayState(gid: string): Promise<void> {
      say(`  ${(await client.waitFor(gid)).status}`);
      const { rows } = await pool.query<{ state: string }>(STATE);
      for (const { state } of rows) say(`  ${state}`);
    }

    say("Ann books a flight to ZRH");
    await sayState(await book({ guest: "Ann", flight: "ZRH", price: 100 }));
    say("Ann books a flight that is full");
    await sayState(await book({ guest: "Ann", flight: "full", price: 100 }));

    say("Ben books a flight to ZRH, and the service is killed while the seat is being reserved");
    onReserved = () => void service.kill("SIGKILL");
    const gid = await book({ guest: "Ben", flight: "ZRH", price: 200 });
    onReserved = () => undefined;
    say(`  ${(await client.query(gid))?.status}, and the service is started again`);
    service = await start();
    await sayState(gid);
  },
);

async function startService(args: readonly string[]): Promise<ChildProcess> {
  const child = fork(new URL("./service.js", import.meta.url), args);
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code, signal) => reject(new Error(`the service ended at its start (${code ?? signal})`)));
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await ended;
}
