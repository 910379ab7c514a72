/** One bank: Fastify in front of one SQLite file, whose driver is synchronous, and so is the work inside the barrier. */
import { Failure } from "@dtm/barrier";
import { branchRoute } from "@dtm/barrier/fastify";
import { barrier } from "@dtm/barrier/libsql";
import { branch } from "@dtm/client";
import Fastify, { type FastifyInstance } from "fastify";
import type Database from "libsql";

export interface Transfer {
  readonly account: string;
  readonly amount: number;
}

/** The branches of a bank: declared once, for who calls them and for who serves them. */
export const bankAt = (url: string) => ({
  debit: branch<Transfer>(`${url}/debit`),
  debitUndo: branch<Transfer>(`${url}/debit-undo`),
  credit: branch<Transfer>(`${url}/credit`),
  creditUndo: branch<Transfer>(`${url}/credit-undo`),
});

export function bank(
  db: Database.Database,
  { debit, debitUndo, credit, creditUndo }: ReturnType<typeof bankAt>,
): FastifyInstance {
  const app = Fastify();
  const take = db.prepare("update account set balance = balance - ? where id = ? and balance >= ?");
  const give = db.prepare("update account set balance = balance + ? where id = ?");
  const takeBack = db.prepare("update account set balance = balance - ? where id = ?");

  /** Runs one statement in a transaction; a change of no row is a refusal. */
  function once(statement: Database.Statement, values: readonly unknown[], refusal: string): void {
    const work = () =>
      barrier.run(db, () => {
        if (statement.run(...values).changes === 0) throw new Failure(refusal);
      });
    db.transaction(work).immediate();
  }

  app.register(
    branchRoute("/debit", debit, ({ account, amount }) =>
      once(take, [amount, account, amount], `${account} has less than ${amount}, or no account here`),
    ),
  );
  app.register(
    branchRoute("/credit", credit, ({ account, amount }) => once(give, [amount, account], `${account} has no account here`)),
  );
  app.register(branchRoute("/debit-undo", debitUndo, ({ account, amount }) => undo(give, account, amount)));
  app.register(branchRoute("/credit-undo", creditUndo, ({ account, amount }) => undo(takeBack, account, amount)));
  return app;

  /** Skipped when there is nothing to undo; it can't be refused. */
  function undo(statement: Database.Statement, account: string, amount: number): void {
    db.transaction(() => barrier.run(db, () => void statement.run(amount, account))).immediate();
  }
}
