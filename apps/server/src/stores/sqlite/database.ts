/** One connection with its prepared statements. Workers only (R25); the lock's own file is the exception, see folder.ts. */
import Libsql from "libsql";
import type { Value } from "./wire.js";

export type Bound = Value | Uint8Array;
export type StoredValue = Value | Uint8Array;
export type StoredRow = readonly StoredValue[];

interface Statement {
  run(values: readonly Bound[]): { readonly changes: number };
  get(values: readonly Bound[]): StoredRow | undefined;
  all(values: readonly Bound[]): StoredRow[];
  raw(): Statement;
}

interface Connection {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
  readonly inTransaction: boolean;
}

export class Database {
  readonly #connection: Connection;
  readonly #statements = new Map<string, Statement>();
  #changes = 0;

  constructor(file: string, options: { readonly busyMs: number }) {
    this.#connection = new Libsql(file, { timeout: options.busyMs }) as unknown as Connection;
  }

  /** Rows changed since the connection was opened. */
  get changes(): number {
    return this.#changes;
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  /** The number of rows it changed: matched ones, whether or not a value differs. */
  run(sql: string, values: readonly Bound[]): number {
    const { changes } = this.#prepared(sql).run(values);
    this.#changes += changes;
    return changes;
  }

  get(sql: string, values: readonly Bound[]): StoredRow | undefined {
    return this.#prepared(sql).get(values);
  }

  all(sql: string, values: readonly Bound[]): StoredRow[] {
    return this.#prepared(sql).all(values);
  }

  /** Without results: transaction control and schema. */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  /** The first value of a pragma's answer. */
  pragma(text: string): StoredValue {
    return this.#connection.prepare(`PRAGMA ${text}`).raw().all([])[0]?.[0] ?? null;
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      if (returnsRows(sql)) statement.raw();
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Raw mode is refused for statements without columns. */
function returnsRows(sql: string): boolean {
  return /^\s*(SELECT|WITH|PRAGMA|EXPLAIN)\b/.test(sql) || /\bRETURNING\b/.test(sql);
}
