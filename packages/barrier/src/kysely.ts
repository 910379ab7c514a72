/** The barrier inside a transaction of Kysely, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { committed } from "./sql/committed.js";
import { pgAsked } from "./sql/pg-status.js";
import { notATransaction, notOpenAnyMore, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, inDialect, isRecord, type Reply, rowsOf, type Statement } from "./sql/statement.js";

/** The `trx` of `db.transaction().execute(async (trx) => …)`, or a controlled transaction. */
export interface KyselyTransactionLike extends KyselyLike {
  readonly isTransaction: true;
}

/** A Kysely instance. */
export interface KyselyLike {
  readonly isTransaction: boolean;
  getExecutor(): { readonly adapter: object };
  executeQuery(query: never): Promise<{ readonly rows: unknown[]; readonly numAffectedRows?: bigint }>;
}

const adapter: Adapter<Promise<Reply>> = {
  transaction(tx) {
    const found = ofDriver("kysely", tx);
    if (found.role !== "transaction") throw notATransaction(found);
    if (Reflect.get(Object(tx), "isCommitted") === true || Reflect.get(Object(tx), "isRolledBack") === true) {
      throw notOpenAnyMore(found);
    }
    return executor(tx as KyselyTransactionLike, true);
  },
  database(db) {
    const made = executor(db as KyselyLike, ofDriver("kysely", db).role === "transaction");
    return committed(made, (send) => (db as KyselyBeginning).transaction().execute((trx) => send(executor(trx, true))));
  },
};

/**
 * The barrier for Kysely.
 *
 * @example
 * await db.transaction().execute(async (trx) => {
 *   await barrier.run(trx, () =>
 *     trx.updateTable("account").set((eb) => ({ balance: eb("balance", "-", 30) })).where("id", "=", id).execute());
 * });
 */
export const barrier: SqlBarrier<KyselyTransactionLike, KyselyLike> = sqlBarrier(adapter);

interface KyselyBeginning {
  transaction(): { execute<T>(work: (trx: KyselyLike) => Promise<T>): Promise<T> };
}

function executor(target: KyselyLike, open: boolean): Executor<Promise<Reply>> {
  const dialect = dialectOf(target.getExecutor().adapter);
  const send = async (statement: Statement): Promise<Reply> => {
    const { rows, numAffectedRows } = await target.executeQuery(compiled(dialect, statement));
    return { rows: rowsOf(rows), affected: numAffectedRows === undefined ? undefined : Number(numAffectedRows) };
  };
  // Kysely gives nobody its connection.
  return { dialect, open, send, left: dialect === "postgres" ? () => pgAsked(send) : undefined };
}

/** What `CompiledQuery.raw(sql, values)` makes. */
function compiled(dialect: Dialect, statement: Statement): never {
  const sql = inDialect(dialect, statement);
  const query = {
    sql,
    parameters: statement.values,
    query: { kind: "RawNode", sqlFragments: [sql], parameters: [] },
    queryId: { queryId: `dtm-barrier-${++queries}` },
  };
  return query as never;
}

/** Kysely tells statements apart by an id when a plugin asks. */
let queries = 0;

const ADAPTERS: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["PostgresAdapter", "postgres"],
  ["MysqlAdapter", "mysql"],
  ["SqliteAdapter", "sqlite"],
]);

/** By the class of the dialect's adapter, or the one that it extends. */
function dialectOf(given: object): Dialect {
  for (let proto: unknown = Object.getPrototypeOf(given); isRecord(proto); proto = Object.getPrototypeOf(proto)) {
    const dialect = ADAPTERS.get(proto.constructor.name);
    if (dialect !== undefined) return dialect;
  }
  throw new DtmError(
    "WRONG_DRIVER",
    `expected a Kysely dialect of PostgreSQL, MySQL or SQLite, found one whose adapter is ${given.constructor.name}`,
  );
}
