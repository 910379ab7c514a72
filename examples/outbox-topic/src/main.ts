/** Three payments: one that is published, one that is refused, and one after whose commit the shop fails. */
import { barrier } from "@dtm/barrier/pg";
import { databaseUrl, story } from "@dtm/example-kit";
import express from "express";
import pg from "pg";
import { accountingAt, ORDER_PAID, queryPreparedAt, warehouseAt } from "./branches.js";
import { fillTables } from "./database.js";
import { pay, serveShop } from "./shop.js";
import { serveAccounting, serveWarehouse } from "./subscribers.js";

const STATE = `
  select (select count(*) from outbox_paid) as paid, (select count(*) from outbox_parcel) as parcels, total from outbox_revenue`;

await story(
  { title: "A local transaction and its message, to two subscribers of a topic", needs: ["DTM_TEST_POSTGRES"] },
  async ({ client, say, serve, atEnd }) => {
    const pool = new pg.Pool({ connectionString: databaseUrl("DTM_TEST_POSTGRES") });
    atEnd(() => pool.end());
    await barrier.createTable(pool);
    await fillTables(pool);

    const [warehouse, accounting, front] = [express(), express(), express()];
    const toWarehouse = warehouseAt(await serve(warehouse));
    const toAccounting = accountingAt(await serve(accounting));
    const shop = { client, pool, queryPrepared: queryPreparedAt(await serve(front)) };
    serveWarehouse(warehouse, pool, toWarehouse);
    serveAccounting(accounting, pool, toAccounting);
    serveShop(front, shop);

    await client.topics.subscribe(ORDER_PAID, toWarehouse, "packs a parcel");
    await client.topics.subscribe(ORDER_PAID, toAccounting, "counts the revenue");
    // A coordinator that DTM_SERVER names outlives this example.
    atEnd(() => client.topics.delete(ORDER_PAID));

    async function sayState(): Promise<void> {
      const { rows } = await pool.query<{ paid: string; parcels: string; total: number }>(STATE);
      for (const { paid, parcels, total } of rows) say(`  paid ${paid}, parcels ${parcels}, revenue ${total}`);
    }

    async function order(name: string, amount: number, committed?: () => void): Promise<void> {
      const gid = await client.newGid();
      try {
        await pay(shop, { order: name, amount }, { gid, ...(committed && { committed }) });
      } catch (cause) {
        say(`  ${cause instanceof Error ? cause.message : cause}`);
      }
      say(`  ${(await client.waitFor(gid)).status}`);
      await sayState();
    }

    await sayState();
    say("order-1 is paid");
    await order("order-1", 30);
    say("order-1 is paid once more");
    await order("order-1", 30);
    say("order-2 is paid, and the shop fails between its commit and the submit");
    await order("order-2", 50, () => {
      throw new Error("the shop failed");
    });
  },
);
