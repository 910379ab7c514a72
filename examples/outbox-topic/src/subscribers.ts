/** Two services that know nothing of the shop, only of its topic. Each counts a message once, however often it is delivered. */
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/pg";
import type { BranchAddress } from "@dtm/client";
import type { Express } from "express";
import type pg from "pg";
import type { OrderPaid } from "./branches.js";

type Subscribe = (app: Express, pool: pg.Pool, address: BranchAddress<OrderPaid>) => void;

export const serveWarehouse: Subscribe = (app, pool, address) => {
  app.post(
    new URL(address.url).pathname,
    branchHandler(address, async ({ order }) => {
      await barrier.transaction(pool, (client) => client.query("insert into outbox_parcel values ($1)", [order]));
    }),
  );
};

export const serveAccounting: Subscribe = (app, pool, address) => {
  app.post(
    new URL(address.url).pathname,
    branchHandler(address, async ({ amount }) => {
      await barrier.transaction(pool, (client) => client.query("update outbox_revenue set total = total + $1", [amount]));
    }),
  );
};
