/** Connections of real databases. The drivers are those that the barrier is tested with. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Mysql2PoolLike, Mysql2TransactionLike } from "@dtm/barrier/mysql2";
import type { PgPoolLike, PgTransactionLike } from "@dtm/barrier/pg";
import type { Database } from "../../../barrier/test/kit/databases.js";

export interface PgClient extends PgTransactionLike {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>;
  release(destroy?: boolean): void;
}

export interface PgPool extends PgPoolLike {
  connect(): Promise<PgClient>;
  on(event: "error", listener: () => void): unknown;
  end(): Promise<void>;
}

export interface MysqlConnection extends Mysql2TransactionLike {
  beginTransaction(): Promise<void>;
  query(sql: string, values?: unknown[]): Promise<unknown>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  release(): void;
  destroy(): void;
}

export interface MysqlPool extends Mysql2PoolLike {
  getConnection(): Promise<MysqlConnection>;
  end(): Promise<void>;
}

const load = createRequire(join(__dirname, "../../../barrier/package.json"));

export function pgPool({ host, port, user, password, name }: Database): PgPool {
  const { Pool }: { readonly Pool: new (options: object) => PgPool } = load("pg");
  const pool = new Pool({ host, port, user, password, database: name, max: 8 });
  pool.on("error", () => undefined);
  return pool;
}

export function mysqlPool({ host, port, user, password, name }: Database): MysqlPool {
  const mysql: { createPool(options: object): MysqlPool } = load("mysql2/promise");
  return mysql.createPool({ host, port, user, password, database: name, connectionLimit: 8 });
}
