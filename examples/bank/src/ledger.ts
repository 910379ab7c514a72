/** The money. Every rule stands in the WHERE of the statement that moves it, so no check can grow old before its change. */
import type { Database } from "./database.js";
import { Refusal } from "./refusal.js";

/** Amounts are whole cents. */
export interface Order {
  readonly account: string;
  readonly amount: number;
}

export interface Account {
  readonly id: string;
  readonly balance: number;
  readonly held: number;
  readonly incoming: number;
  readonly frozen: boolean;
}

export class Ledger {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  accounts(): readonly Account[] {
    const rows = this.#database.prepare("select id, balance, held, incoming, frozen from account order by id").all() as Row[];
    return rows.map(fromRow);
  }

  account(id: string): Account | null {
    const row = this.#database.prepare("select id, balance, held, incoming, frozen from account where id = ?").get(id) as
      | Row
      | undefined;
    return row === undefined ? null : fromRow(row);
  }

  /** False when the account is there already: its balance is real money by now. */
  open(account: { readonly id: string; readonly balance: number; readonly frozen: boolean }): boolean {
    return (
      this.#database
        .prepare("insert into account (id, balance, frozen) values (?, ?, ?) on conflict (id) do nothing")
        .run(account.id, account.balance, account.frozen ? 1 : 0).changes === 1
    );
  }

  /** False when there is no such account. */
  freeze(id: string): boolean {
    return this.#database.prepare("update account set frozen = 1 where id = ?").run(id).changes === 1;
  }

  debit({ account, amount }: Order): void {
    this.#changeOrRefuse(
      "update account set balance = balance - ?1 where id = ?2 and frozen = 0 and balance - held >= ?1",
      account,
      amount,
    );
  }

  undoDebit({ account, amount }: Order): void {
    this.#mustChange("update account set balance = balance + ?1 where id = ?2", account, amount);
  }

  credit({ account, amount }: Order): void {
    this.#changeOrRefuse("update account set balance = balance + ?1 where id = ?2 and frozen = 0", account, amount);
  }

  /** May leave the account overdrawn: an undo can't be refused. Who fears that credits last, or uses tcc. */
  undoCredit({ account, amount }: Order): void {
    this.#mustChange("update account set balance = balance - ?1 where id = ?2", account, amount);
  }

  tryDebit({ account, amount }: Order): void {
    this.#changeOrRefuse(
      "update account set held = held + ?1 where id = ?2 and frozen = 0 and balance - held >= ?1",
      account,
      amount,
    );
  }

  confirmDebit({ account, amount }: Order): void {
    this.#mustChange("update account set balance = balance - ?1, held = held - ?1 where id = ?2 and held >= ?1", account, amount);
  }

  cancelDebit({ account, amount }: Order): void {
    this.#mustChange("update account set held = held - ?1 where id = ?2 and held >= ?1", account, amount);
  }

  tryCredit({ account, amount }: Order): void {
    this.#changeOrRefuse("update account set incoming = incoming + ?1 where id = ?2 and frozen = 0", account, amount);
  }

  confirmCredit({ account, amount }: Order): void {
    this.#mustChange(
      "update account set balance = balance + ?1, incoming = incoming - ?1 where id = ?2 and incoming >= ?1",
      account,
      amount,
    );
  }

  cancelCredit({ account, amount }: Order): void {
    this.#mustChange("update account set incoming = incoming - ?1 where id = ?2 and incoming >= ?1", account, amount);
  }

  #changeOrRefuse(sql: string, account: string, amount: number): void {
    if (this.#database.prepare(sql).run(amount, account).changes === 1) return;
    const found = this.account(account);
    if (found === null) throw new Refusal(`there is no account ${account}`);
    if (found.frozen) throw new Refusal(`account ${account} is frozen`);
    throw new Refusal(`account ${account} has not enough money`);
  }

  /** What was promised before must work now; if it doesn't, that is our bug and no answer to the coordinator. */
  #mustChange(sql: string, account: string, amount: number): void {
    if (this.#database.prepare(sql).run(amount, account).changes === 1) return;
    throw new Error(`no row to change for account ${account}, amount ${amount}: ${sql}`);
  }
}

interface Row {
  readonly id: string;
  readonly balance: number;
  readonly held: number;
  readonly incoming: number;
  readonly frozen: number;
}

function fromRow({ id, balance, held, incoming, frozen }: Row): Account {
  return { id, balance, held, incoming, frozen: frozen === 1 };
}
