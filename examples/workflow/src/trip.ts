/** The workflow: four kinds of steps in one transaction. Whatever happens, all of them count in the end, or none. */
import { barrier } from "@dtm/barrier/pg";
import { xaPostgres } from "@dtm/barrier/xa";
import type { DefinedWorkflow, Workflows } from "@dtm/client";
import type pg from "pg";
import type { airlineAt, bankAt } from "./branches.js";

export interface Trip {
  readonly guest: string;
  readonly flight: string;
  readonly price: number;
}

export interface TripParts {
  readonly pool: pg.Pool;
  readonly bank: ReturnType<typeof bankAt>;
  readonly airline: ReturnType<typeof airlineAt>;
}

export function defineTrip(workflows: Workflows, { pool, bank, airline }: TripParts): DefinedWorkflow<Trip, string> {
  const points = xaPostgres(pool);

  return workflows.define("trip", async (wf, { guest, flight, price }) => {
    // Like a saga: done now, undone by its compensation.
    await wf.saga({ action: bank.charge, compensate: bank.refund, payload: { guest, amount: price } });

    // Local: this service's own table. The barrier makes one row of it, however often the step is run.
    await wf.local(
      () =>
        barrier.transaction(pool, async (client) => {
          await client.query("insert into workflow_booking values ($1, $2, $3)", [wf.gid, guest, flight]);
        }),
      {
        undo: () => barrier.transaction(pool, (client) => client.query("delete from workflow_booking where gid = $1", [wf.gid])),
      },
    );

    // XA: prepared now; PostgreSQL keeps it, invisible to others, until the workflow has ended.
    await wf.xa(points, async (connection) => {
      await connection.query("update workflow_points set points = points + $1 where guest = $2", [price, guest]);
    });

    // Like TCC: held now, confirmed or cancelled when the workflow has ended.
    await wf.tcc({ try: airline.reserve, confirm: airline.confirm, cancel: airline.cancel, payload: { flight } });

    return `${guest} flies to ${flight}`;
  });
}
