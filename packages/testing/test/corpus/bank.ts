/** A bank on an SQLite database of its own, for one run: what the transactions of these tests move money in, rightly or wrongly. */
import type { RequestListener } from "node:http";
import { barrierTableSql } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier } from "@dtm/barrier/libsql";
import Database from "libsql";
import type { Kit } from "../../src/index.js";

export interface Call {
  readonly gid: string;
  readonly branchId: string;
  readonly op: string;
}

export interface Payload {
  readonly amount: number;
}

export type Handler = (bank: Bank, amount: number, call: Call) => unknown;
export type Handlers = Readonly<Record<string, Handler>>;

export class Bank {
  readonly db: InstanceType<typeof Database> = new Database(":memory:");

  constructor(
    readonly handlers: Handlers,
    readonly io: Kit["io"] = async (work) => work(),
  ) {
    this.db.exec("create table account (id integer primary key, balance integer not null, frozen integer not null)");
    this.db.exec("insert into account values (1, 100, 0)");
    this.db.exec("create table seen (key text primary key)");
    for (const sql of barrierTableSql({ dialect: "sqlite" })) this.db.exec(sql);
  }

  get balance(): number {
    return this.#column("balance");
  }

  get frozen(): number {
    return this.#column("frozen");
  }

  add(amount: number): void {
    this.db.prepare("update account set balance = balance + ?").run(amount);
  }

  freeze(amount: number): void {
    this.db.prepare("update account set frozen = frozen + ?").run(amount);
  }

  /** True when the key is new. */
  mark(key: string): boolean {
    return this.db.prepare("insert or ignore into seen values (?)").run(key).changes === 1;
  }

  marked(key: string): boolean {
    return this.db.prepare("select 1 from seen where key = ?").get(key) !== undefined;
  }

  /** One local transaction. */
  local<T>(work: () => T): T {
    return this.db.transaction(work).immediate() as T;
  }

  readonly listener: RequestListener = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://bank");
    const handler = this.handlers[pathname];
    if (handler === undefined) {
      response.writeHead(404).end();
      return;
    }
    const call = {
      gid: searchParams.get("gid") ?? "",
      branchId: searchParams.get("branch_id") ?? "",
      op: searchParams.get("op") ?? "",
    };
    const serve = branchHandler<Payload | undefined>(null, (payload) => handler(this, payload?.amount ?? 0, call), {
      onError: () => undefined,
      onWarning: () => undefined,
    });
    void serve(request, response);
  };

  #column(name: "balance" | "frozen"): number {
    const row: unknown = this.db.prepare(`select ${name} from account`).get();
    return Number(Reflect.get(Object(row), name));
  }
}

/** The right way: in one local transaction with the barrier. */
export function guarded(work: (bank: Bank, amount: number) => void): Handler {
  return (bank, amount) => bank.local(() => void barrier.run(bank.db, () => work(bank, amount)));
}

export const take = (bank: Bank, amount: number): void => bank.add(-amount);
export const give = (bank: Bank, amount: number): void => bank.add(amount);
