/** The barrier inside a transaction of TypeORM, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { mysqlReply } from "./sql/mysql-reply.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, inDialect, isRecord, type Reply, rowsOf } from "./sql/statement.js";

/** The `manager` of `dataSource.transaction(async (manager) => …)`, or a `QueryRunner` after `startTransaction()`. */
export interface TypeormTransactionLike {
  query<T = unknown>(sql: string, values?: unknown[]): Promise<T>;
}

/** A `DataSource`, or its manager. */
export type TypeormDatabaseLike = TypeormTransactionLike;

const adapter: Adapter<Promise<Reply>> = {
  name: "typeorm",
  transaction(tx) {
    const found = ofDriver("typeorm", tx);
    if (found.role !== "connection") throw notATransaction(found);
    return executor(tx as TypeormTransactionLike, isActive(tx));
  },
  database(db) {
    return executor(db as TypeormDatabaseLike, ofDriver("typeorm", db).role === "connection" && isActive(db));
  },
};

/**
 * The barrier for TypeORM.
 *
 * @example
 * await dataSource.transaction(async (manager) => {
 *   await barrier.run(manager, () => manager.decrement(Account, { id }, "balance", 30));
 * });
 */
export const barrier: SqlBarrier<TypeormTransactionLike, TypeormDatabaseLike> = sqlBarrier(adapter);

function executor(target: TypeormTransactionLike, open: boolean): Executor<Promise<Reply>> {
  const dialect = dialectOf(target);
  return {
    dialect,
    open,
    async send(statement) {
      const answer: unknown = await target.query(inDialect(dialect, statement), [...statement.values]);
      return dialect === "mysql" ? mysqlReply(statement, answer) : { rows: rowsOf(answer) };
    },
  };
}

/** A manager has its runner, a runner is one. */
function isActive(target: unknown): boolean {
  if (!isRecord(target)) return false;
  const runner = isRecord(target["queryRunner"]) ? target["queryRunner"] : target;
  return runner["isTransactionActive"] === true;
}

const TYPES: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["postgres", "postgres"],
  ["cockroachdb", "postgres"],
  ["aurora-postgres", "postgres"],
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["aurora-mysql", "mysql"],
  ["sqlite", "sqlite"],
  ["better-sqlite3", "sqlite"],
  ["sqljs", "sqlite"],
]);

/** A DataSource names its type; managers and runners know their DataSource (called `connection` before version 1). */
function dialectOf(target: TypeormTransactionLike): Dialect {
  const source = [target, Reflect.get(target, "dataSource"), Reflect.get(target, "connection")].find(
    (candidate: unknown) =>
      isRecord(candidate) && isRecord(candidate["options"]) && typeof candidate["options"]["type"] === "string",
  );
  const type: unknown = isRecord(source) && isRecord(source["options"]) ? source["options"]["type"] : undefined;
  const dialect = TYPES.get(type);
  if (dialect !== undefined) return dialect;
  throw new DtmError("WRONG_DRIVER", `expected a DataSource of PostgreSQL, MySQL, MariaDB or SQLite, found type ${String(type)}`);
}
