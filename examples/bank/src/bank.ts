/**
 * One bank over HTTP. Each branch operation is one line of `BRANCHES`: the ledger does the work, the barrier decides whether
 * it may, and the answer follows protocol.md 0: 200 done, 409 refused for good, anything else "try again".
 */
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { Barrier } from "./barrier.js";
import type { Database } from "./database.js";
import { amountFrom, branchCallFrom, openingFrom, orderFrom } from "./decode.js";
import { Journal } from "./journal.js";
import { Ledger, type Order } from "./ledger.js";
import { Refusal } from "./refusal.js";

const BRANCHES: Readonly<Record<string, (ledger: Ledger, order: Order) => void>> = {
  "/saga/debit": (ledger, order) => ledger.debit(order),
  "/saga/debit-undo": (ledger, order) => ledger.undoDebit(order),
  "/saga/credit": (ledger, order) => ledger.credit(order),
  "/saga/credit-undo": (ledger, order) => ledger.undoCredit(order),
  "/tcc/debit/try": (ledger, order) => ledger.tryDebit(order),
  "/tcc/debit/confirm": (ledger, order) => ledger.confirmDebit(order),
  "/tcc/debit/cancel": (ledger, order) => ledger.cancelDebit(order),
  "/tcc/credit/try": (ledger, order) => ledger.tryCredit(order),
  "/tcc/credit/confirm": (ledger, order) => ledger.confirmCredit(order),
  "/tcc/credit/cancel": (ledger, order) => ledger.cancelCredit(order),
  "/msg/debit": (ledger, order) => ledger.debit(order),
  "/msg/credit": (ledger, order) => ledger.credit(order),
};

export function bank(database: Database.Database): Express {
  const ledger = new Ledger(database);
  const barrier = new Barrier(database);
  const journal = new Journal();
  const app = express();
  app.disable("x-powered-by");
  // Read as text: a broken body is the order's fault, and only the operation that needs it may complain.
  app.use(express.text({ type: () => true }));

  for (const [path, operation] of Object.entries(BRANCHES)) {
    app.post(path, branch(path, operation));
  }

  function branch(path: string, operation: (ledger: Ledger, order: Order) => void): RequestHandler {
    return (request, response) => {
      const call = branchCallFrom(request.query);
      if (call === null) return void response.status(400).json({ message: "needs gid, branch_id, trans_type and op" });
      try {
        // The order is read inside the barrier: the undo of an action that was refused as nonsense has nothing to undo.
        const verdict = barrier.guard(call, () => operation(ledger, orderFrom(request.body)));
        if (verdict === "reject") throw new Refusal(`the message ${call.gid} was decided before`);
        journal.add({ ...call, path, did: verdict === "run" ? "ran" : "skipped" });
        response.json({ dtm_result: "SUCCESS" });
      } catch (cause) {
        if (cause instanceof Refusal) journal.add({ ...call, path, did: "refused", why: cause.message });
        throw cause;
      }
    };
  }

  app.get("/msg/query", (request, response) => {
    const call = branchCallFrom(request.query);
    if (call === null) return void response.status(400).json({ message: "needs gid, branch_id, trans_type and op" });
    if (!barrier.committed(call)) throw new Refusal(`the message ${call.gid} was never sent`);
    response.json({ dtm_result: "SUCCESS" });
  });

  app.get("/accounts", (_request, response) => void response.json(ledger.accounts()));
  app.get("/accounts/:id", (request, response) => {
    const account = ledger.account(request.params.id);
    if (account === null) return void response.status(404).json({ message: `there is no account ${request.params.id}` });
    response.json(account);
  });
  app.put("/accounts/:id", (request, response) => {
    const created = ledger.open({ id: request.params.id, ...openingFrom(request.body) });
    response.status(created ? 201 : 200).json(ledger.account(request.params.id));
  });
  app.post("/accounts/:id/deposit", (request, response) => {
    ledger.credit({ account: request.params.id, amount: amountFrom(request.body) });
    response.json(ledger.account(request.params.id));
  });
  app.post("/accounts/:id/freeze", (request, response) => {
    const { id } = request.params;
    if (!ledger.freeze(id)) return void response.status(404).json({ message: `there is no account ${id}` });
    response.json(ledger.account(id));
  });
  app.get("/journal", (request, response) => void response.json(journal.of(String(request.query["gid"]))));

  app.use(answerErrors);
  return app;
}

/** Express knows an error handler by its four parameters. */
const answerErrors: ErrorRequestHandler = (cause: unknown, _request, response, _next) => {
  if (cause instanceof Refusal) return void response.status(409).json({ dtm_result: "FAILURE", message: cause.message });
  console.error(cause);
  response.status(500).json({ message: cause instanceof Error ? cause.message : String(cause) });
};
