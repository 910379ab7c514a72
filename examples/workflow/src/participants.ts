/** Two services of other teams: a bank, which charges and refunds, and an airline, which holds a seat until it is told what becomes of it. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/pg";
import type { BranchAddress } from "@dtm/client";
import type { Express } from "express";
import type pg from "pg";
import type { airlineAt, bankAt, Seat } from "./branches.js";

/** Serves a branch that is one statement; when that changes no row, the branch is refused for `refusal`. */
function serveStatement<Payload>(
  app: Express,
  pool: pg.Pool,
  address: BranchAddress<Payload>,
  statement: (payload: Payload) => { readonly sql: string; readonly values: readonly unknown[]; readonly refusal?: string },
  committed?: () => void,
): void {
  app.post(
    new URL(address.url).pathname,
    branchHandler(address, async (payload) => {
      const { sql, values, refusal } = statement(payload);
      await barrier.transaction(pool, async (client) => {
        const { rowCount } = await client.query(sql, [...values]);
        if (rowCount === 0 && refusal !== undefined) throw new Failure(refusal);
      });
      committed?.();
    }),
  );
}

export function serveBank(app: Express, pool: pg.Pool, { charge, refund }: ReturnType<typeof bankAt>): void {
  serveStatement(app, pool, charge, ({ guest, amount }) => ({
    sql: "update workflow_account set balance = balance - $1 where guest = $2 and balance >= $1",
    values: [amount, guest],
    refusal: `${guest} has less than ${amount}`,
  }));
  serveStatement(app, pool, refund, ({ guest, amount }) => ({
    sql: "update workflow_account set balance = balance + $1 where guest = $2",
    values: [amount, guest],
  }));
}

/** @param onReserved - Called when a seat is held and the airline is about to say so. */
export function serveAirline(
  app: Express,
  pool: pg.Pool,
  { reserve, confirm, cancel }: ReturnType<typeof airlineAt>,
  onReserved: () => void,
): void {
  const hold = ({ flight }: Seat) => ({
    sql: "update workflow_flight set free = free - 1, held = held + 1 where flight = $1 and free > 0",
    values: [flight],
    refusal: `flight ${flight} has no free seat`,
  });
  serveStatement(app, pool, reserve, hold, onReserved);
  serveStatement(app, pool, confirm, ({ flight }) => ({
    sql: "update workflow_flight set held = held - 1 where flight = $1",
    values: [flight],
  }));
  serveStatement(app, pool, cancel, ({ flight }) => ({
    sql: "update workflow_flight set free = free + 1, held = held - 1 where flight = $1",
    values: [flight],
  }));
}
