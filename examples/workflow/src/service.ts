/** The process that runs workflows. It keeps nothing in memory that matters: it may be killed at any moment. */
import { HttpClient, TransactionError, Workflows, workflowListener } from "@dtm/client";
import express from "express";
import pg from "pg";
import { airlineAt, bankAt } from "./branches.js";
import { defineTrip, type Trip } from "./trip.js";

const [server = "", own = "", bank = "", airline = "", database = ""] = process.argv.slice(2);
const client = new HttpClient({ server });
const pool = new pg.Pool({ connectionString: database });
// The coordinator calls back here to have a workflow resumed.
const workflows = new Workflows(client, { callback: `${own}/workflows` });
const trip = defineTrip(workflows, { pool, bank: bankAt(bank), airline: airlineAt(airline) });

const app = express();
app.all("/workflows", workflowListener(workflows));
app.put("/trips/:gid", express.json(), async (request, response) => {
  try {
    response.json({ result: await trip.execute(request.body as Trip, { gid: request.params.gid }) });
  } catch (cause) {
    if (!(cause instanceof TransactionError) || cause.code !== "TRANSACTION_FAILED") throw cause;
    response.status(409).json({ refused: cause.rollbackReason });
  }
});

app.listen(Number(new URL(own).port), "127.0.0.1", () => process.send?.("ready"));
// Whoever started it has gone.
process.once("disconnect", () => process.exit());
