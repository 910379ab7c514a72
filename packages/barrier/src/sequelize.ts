/** The barrier inside a transaction of Sequelize 6, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { committed } from "./sql/committed.js";
import { pgLeft } from "./sql/pg-status.js";
import { notATransaction, notOpenAnyMore, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, type Reply, rowsOf, type Statement, withNumbers } from "./sql/statement.js";

/** The `transaction` of `sequelize.transaction(async (transaction) => …)`, or of `await sequelize.transaction()`. */
export interface SequelizeTransactionLike {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A `Sequelize` instance. */
export interface SequelizeLike {
  getDialect(): string;
  query(sql: string, options: never): Promise<unknown>;
}

const adapter: Adapter<Promise<Reply>> = {
  transaction(tx) {
    const found = ofDriver("sequelize", tx);
    if (found.role !== "transaction") throw notATransaction(found);
    const transaction = tx as SequelizeTransactionLike & { readonly sequelize: SequelizeLike; readonly finished?: string };
    if (transaction.finished !== undefined) throw notOpenAnyMore(found);
    return executor(transaction.sequelize, { transaction, open: true });
  },
  database(db) {
    const found = ofDriver("sequelize", db);
    if (found.role === "pool") {
      const sequelize = db as SequelizeBeginning;
      return committed(executor(sequelize, { transaction: null, open: false }), (send) =>
        sequelize.transaction({ logging: false }, (transaction) => send(executor(sequelize, { transaction, open: true }))),
      );
    }
    const transaction = db as SequelizeTransactionLike & { readonly sequelize: SequelizeLike };
    return executor(transaction.sequelize, { transaction, open: true });
  },
};

/**
 * The barrier for Sequelize.
 *
 * @example
 * await sequelize.transaction(async (transaction) => {
 *   await barrier.run(transaction, () => Account.decrement("balance", { by: 30, where: { id }, transaction }));
 * });
 */
export const barrier: SqlBarrier<SequelizeTransactionLike, SequelizeLike> = sqlBarrier(adapter);

interface SequelizeBeginning extends SequelizeLike {
  transaction<T>(options: object, work: (transaction: SequelizeTransactionLike) => Promise<T>): Promise<T>;
}

interface Place {
  /** Null stands for none, also where the application has set up CLS. */
  readonly transaction: SequelizeTransactionLike | null;
  readonly open: boolean;
}

function executor(sequelize: SequelizeLike, { transaction, open }: Place): Executor<Promise<Reply>> {
  const dialect = dialectOf(sequelize.getDialect());
  return {
    dialect,
    open,
    // The connection that it has taken from its pool, which on PostgreSQL is a client of pg.
    left: () => (transaction === null ? "open" : pgLeft(Reflect.get(transaction, "connection"))),
    async send(statement) {
      const type = typeOf(statement);
      // With replicas a SELECT would go to one of them, and an insert that returns rows is a SELECT to Sequelize.
      const options = { transaction, bind: statement.values, type, useMaster: true, logging: false, raw: true };
      const answer: unknown = await sequelize.query(withNumbers(statement), options as never);
      return typeof answer === "number" ? { affected: answer } : { rows: rowsOf(answer) };
    },
  };
}

/** Sequelize reads an answer by the type that it is told, not by the statement: these give the rows, and how many were affected. */
function typeOf({ expects }: Statement): string {
  switch (expects) {
    case "rows":
      return "SELECT";
    case "affected":
      return "BULKUPDATE";
    case "nothing":
      return "RAW";
  }
}

const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["postgres", "postgres"],
  ["mysql", "mysql"],
  ["mariadb", "mysql"],
  ["sqlite", "sqlite"],
]);

function dialectOf(name: string): Dialect {
  const dialect = DIALECTS.get(name);
  if (dialect !== undefined) return dialect;
  throw new DtmError("WRONG_DRIVER", `expected a Sequelize dialect of PostgreSQL, MySQL, MariaDB or SQLite, found ${name}`);
}
