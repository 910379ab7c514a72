/** A bank on an SQLite database of its own, for one run: what the transactions of these tests move money in, rightly or wrongly. */
import type { RequestListener } from "node:http";
import { barrierTableSql } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import Database from "libsql";

export type Handler = (payload: { amount: number }, bank: Bank) => unknown;

export class Bank {
  readonly db: Database.Database;

  constructor(readonly handlers: Readonly<Record<string, Handler>>) {
    this.db = new Database(":memory:");
    this.db.exec("create table account (id integer primary key, balance integer not null, frozen integer not null default 0)");
    this.db.exec("insert into account (id, balance) values (1, 100)");
    for (const sql of barrierTableSql({ dialect: "sqlite" })) this.db.exec(sql);
  }

  get balance(): number {
    return (this.db.prepare("select balance from account").get() as { balance: number }).balance;
  }

  get frozen(): number {
    return (this.db.prepare("select frozen from account").get() as { frozen: number }).frozen;
  }

  add(amount: number): void {
    this.db.prepare("update account set balance = balance + ?").run(amount);
  }

  freeze(amount: number): void {
    this.db.prepare("update account set frozen = frozen + ?").run(amount);
  }

  /** One local transaction. */
  local<T>(work: () => T): T {
    return this.db.transaction(work).immediate() as T;
  }

  readonly listener: RequestListener = (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://bank");
    const handler = this.handlers[pathname];
    if (handler === undefined) {
      response.writeHead(404).end();
      return;
    }
    const serve = branchHandler<{ amount: number }>(null, (payload) => handler(payload, this), { onError: () => undefined });
    void serve(request, response);
  };
}
