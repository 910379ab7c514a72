/** One connection to MySQL or MariaDB: statements with bound values, rows as arrays, and an end to every wait. */
import type { Connection as Driver, QueryResult, ResultSetHeader } from "mysql2/promise";
import type { Zone } from "./zone.js";

export type Cell = string | number | Uint8Array | null;
export type Row = readonly Cell[];
/** Lists become `a, b`, lists of lists `(a, b), (c, d)`. */
export type Bound = Cell | readonly Cell[] | readonly (readonly Cell[])[];

/** What a statement needs, whether it comes from a lane's connection or from the pool. */
export interface Query {
  readonly zone: Zone;
  rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]>;
  /** How many rows it found to change, whether or not a value differs. */
  run(sql: string, values: readonly Bound[]): Promise<number>;
}

/** The server stopped answering; the connection is useless. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** Above any ordinary statement, below what a caller waits for. */
const ANSWER_MS = 15_000;

export class Connection implements Query {
  changes = 0;
  /** The connection ended, or must not be used any more. */
  broken = false;

  constructor(
    readonly driver: Driver,
    readonly zone: Zone,
  ) {}

  async rows(sql: string, values: readonly Bound[]): Promise<readonly Row[]> {
    const found = await this.#answered(this.driver.query({ sql, values: [...values], rowsAsArray: true }));
    return Array.isArray(found) ? (found as unknown as Row[]) : [];
  }

  async run(sql: string, values: readonly Bound[] = []): Promise<number> {
    const { affectedRows = 0 } = (await this.#answered(this.driver.query({ sql, values: [...values] }))) as ResultSetHeader;
    this.changes += affectedRows;
    return affectedRows;
  }

  async #answered(work: Promise<[QueryResult, unknown]>): Promise<QueryResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.broken = true;
        reject(new NoAnswer(`the database gave no answer for ${ANSWER_MS / 1000} s`));
      }, ANSWER_MS);
    });
    try {
      const [result] = await Promise.race([work, late]);
      return result;
    } finally {
      clearTimeout(timer);
    }
  }
}
