/** The shop: an order is paid in a local transaction, and published if and only if that commits. No outbox table, no poller. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/pg";
import type { BranchAddress, HttpClient } from "@dtm/client";
import type { Express } from "express";
import type pg from "pg";
import { type OrderPaid, orderPaid } from "./branches.js";

export interface Shop {
  readonly client: HttpClient;
  readonly pool: pg.Pool;
  readonly queryPrepared: BranchAddress<undefined>;
}

export interface PayOptions {
  readonly gid: string;
  /** What the process does after its commit, before it hands the message over. */
  readonly committed?: () => void;
}

export async function pay({ client, pool, queryPrepared }: Shop, paid: OrderPaid, { gid, committed }: PayOptions): Promise<void> {
  const message = client.msg({ gid }).topic(orderPaid, paid);
  await message.doAndSubmit(queryPrepared, async () => {
    await barrier.transaction(pool, async (connection) => {
      const sql = "insert into outbox_paid values ($1, $2) on conflict (id) do nothing";
      const { rowCount } = await connection.query(sql, [paid.order, paid.amount]);
      // For good: nothing is published. After any other error `queryPrepared` is asked.
      if (rowCount === 0) throw new Failure(`${paid.order} is paid already`);
    });
    committed?.();
  });
}

export function serveShop(app: Express, { pool, queryPrepared }: Shop): void {
  app.all(
    new URL(queryPrepared.url).pathname,
    branchHandler(queryPrepared, () => barrier.queryPrepared(pool)),
  );
}
