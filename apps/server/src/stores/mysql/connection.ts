/** One connection to MySQL or MariaDB: statements with bound values, rows as arrays, and an end to every wait. */
import type { Socket } from "node:net";
import type { Connection as Driver, QueryOptions, QueryResult, ResultSetHeader } from "mysql2/promise";
import { within } from "../relational/line.js";
import type { Zone } from "./zone.js";

export type Cell = string | number | Uint8Array | null;
export type Row = readonly Cell[];
/** Lists become `a, b`, lists of lists `(a, b), (c, d)`. */
export type Bound = Cell | readonly Cell[] | readonly (readonly Cell[])[];

export interface Request {
  readonly sql: string;
  readonly values: readonly Bound[];
}

/** What a statement needs, whether it comes from a lane's connection or from the pool. */
export interface Query {
  readonly zone: Zone;
  rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]>;
  /** How many rows it found to change, whether or not a value differs. */
  run(sql: string, values: readonly Bound[]): Promise<number>;
  /** Goes with the next statement that is waited for, in front of it, and fails it with its own error. Inside a transaction only. */
  later(sql: string, values: readonly Bound[]): void;
  /** Until what goes along has been done. */
  settled(): Promise<void>;
}

/** The server stopped answering; the connection is useless. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** Above any ordinary statement, below what a caller waits for. */
export const ANSWER_MS = 15_000;

export class Connection implements Query {
  changes = 0;
  /** The connection ended, or must not be used any more. */
  broken = false;
  readonly #waiting: string[] = [];
  /** Nothing among the waiting can fail for what it holds. */
  #harmless = true;
  #noteWaits = false;

  constructor(
    readonly driver: Driver,
    readonly zone: Zone,
  ) {}

  async rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]> {
    return rowsOf(await this.#send(sql, values));
  }

  async run(sql: string, values: readonly Bound[]): Promise<number> {
    const changed = changedBy(await this.#send(sql, values));
    this.changes += changed;
    return changed;
  }

  later(sql: string, values: readonly Bound[]): void {
    this.changes++;
    this.#harmless = false;
    this.#waiting.push(this.driver.format(sql, [...values]));
  }

  /** All in one packet, with what waits in front; the answers of each, in order. Inside a transaction only. */
  async burst(requests: readonly Request[]): Promise<readonly QueryResult[]> {
    this.changes++;
    return this.#together(requests.map(({ sql, values }) => this.driver.format(sql, [...values])));
  }

  begin(statements: readonly string[]): void {
    this.#forget();
    this.#waiting.push(...statements);
  }

  /** In one packet with what waits, behind it. */
  async control(statements: readonly string[]): Promise<void> {
    await this.#together(statements);
  }

  /** The batch's own row, which no other batch writes to. */
  note(sql: string, values: readonly Bound[]): void {
    this.changes++;
    this.#noteWaits = true;
    this.#waiting.push(this.driver.format(sql, [...values]));
  }

  async noted(): Promise<void> {
    if (this.#noteWaits) await this.#send("DO 0", []);
  }

  async settled(): Promise<void> {
    if (!this.#harmless) await this.#send("DO 0", []);
  }

  /** Nothing that waits is done any more. */
  async undo(statements: readonly string[]): Promise<void> {
    this.#forget();
    await this.#together(statements);
  }

  #forget(): void {
    this.#waiting.length = 0;
    this.#harmless = true;
    this.#noteWaits = false;
  }

  /** All in one packet: the server stops at the first that fails. */
  async #send(sql: string, values: readonly Bound[]): Promise<QueryResult> {
    if (this.#waiting.length === 0) return this.#answered({ sql, values: [...values] });
    const [result] = await this.#together([this.driver.format(sql, [...values])]);
    if (result === undefined) throw new Error("a statement had no answer");
    return result;
  }

  /** The answers of the given ones, without those of what waited. */
  async #together(statements: readonly string[]): Promise<readonly QueryResult[]> {
    const before = this.#waiting.length;
    const all = [...this.#waiting, ...statements];
    this.#forget();
    // With undefined instead of null the driver would look through all of it for question marks.
    const results = await this.#answered({ sql: all.join(";\n"), values: null });
    if (all.length === 1) return [results];
    if (!Array.isArray(results) || results.length !== all.length)
      throw new Error(`${all.length} statements had another number of answers`);
    return results.slice(before) as QueryResult[];
  }

  #answered({ sql, values }: QueryOptions): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      const late = onSilence(ANSWER_MS, (cause) => {
        this.broken = true;
        reject(cause);
      });
      withCallbacks(this.driver).query({ sql, values, rowsAsArray: true }, (cause, result) => {
        clearTimeout(late);
        if (cause === null) resolve(result);
        else reject(cause);
      });
    });
  }
}

/** Rejects with NoAnswer when it takes longer; what was asked may still be done. */
export function inTime<T>(work: Promise<T>, limitMs = ANSWER_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = onSilence(limitMs, reject);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

function onSilence(limitMs: number, late: (cause: NoAnswer) => void): NodeJS.Timeout {
  return setTimeout(() => late(new NoAnswer(`the database gave no answer for ${limitMs / 1000} s`)), limitMs);
}

/** One that must not commit any more: the socket is cut, and what was asked fails. The driver would say good-bye, which a silent server never answers. */
export function cut(driver: Driver): void {
  withCallbacks(driver).stream?.destroy();
}

/** How long a good-bye may take. */
const LEAVE_MS = 2_000;

/** In order, if that is possible soon: the driver would wait for the answers to all that was asked. */
export async function leave(driver: Driver): Promise<void> {
  try {
    await within(performance.now() + LEAVE_MS, driver.end());
  } catch {
    cut(driver);
  }
}

interface WithCallbacks {
  query(options: QueryOptions, answered: (cause: Error | null, result: QueryResult) => void): void;
  readonly stream?: Socket;
}

/** What mysql2's promises stand for: they capture a stack at each query, which costs more than the query's own share of JavaScript. */
function withCallbacks(driver: Driver): WithCallbacks {
  return (driver as unknown as { readonly connection: WithCallbacks }).connection;
}

export function rowsOf(result: QueryResult): readonly Row[] {
  return Array.isArray(result) ? (result as unknown as Row[]) : [];
}

/** How many rows a statement found to change. */
export function changedBy(result: QueryResult): number {
  return (result as ResultSetHeader).affectedRows ?? 0;
}
