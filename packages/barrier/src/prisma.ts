/** The barrier inside an interactive transaction of Prisma, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { committed } from "./sql/committed.js";
import { pgAsked } from "./sql/pg-status.js";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, type Executor, inDialect, type Reply, rowsOf, type Statement } from "./sql/statement.js";

/** The `tx` of `prisma.$transaction(async (tx) => …)`. */
export interface PrismaTransactionLike {
  $queryRawUnsafe<T = unknown>(sql: string, ...values: unknown[]): PromiseLike<T>;
  $executeRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<number>;
}

/** A `PrismaClient`. */
export type PrismaClientLike = PrismaTransactionLike;

const adapter: Adapter<Promise<Reply>> = {
  transaction(tx) {
    const found = ofDriver("prisma", tx);
    if (found.role !== "transaction") throw notATransaction(found);
    return executor(tx as PrismaTransactionLike, true);
  },
  database(db) {
    const made = executor(db as PrismaClientLike, ofDriver("prisma", db).role === "transaction");
    return committed(made, (send) => (db as PrismaBeginning).$transaction((tx) => send(executor(tx, true)), LIMITS));
  },
};

/**
 * The barrier for Prisma.
 *
 * @example
 * await prisma.$transaction(async (tx) => {
 *   await barrier.run(tx, () => tx.account.update({ where: { id }, data: { balance: { decrement: 30 } } }));
 * });
 */
export const barrier: SqlBarrier<PrismaTransactionLike, PrismaClientLike> = sqlBarrier(adapter);

interface PrismaBeginning {
  $transaction<T>(work: (tx: PrismaTransactionLike) => Promise<T>, options: object): Promise<T>;
}

/** Prisma's own are 2 and 5 seconds: less than MySQL waits for a lock (50 s), and its error would not say that the lock was the reason. */
const LIMITS = { maxWait: 10_000, timeout: 60_000 };

function executor(client: PrismaTransactionLike, open: boolean): Executor<Promise<Reply>> {
  const dialect = dialectOf(client);
  const send = (statement: Statement): Promise<Reply> => reply(client, statement, inDialect(dialect, statement));
  // Prisma gives nobody its connection.
  return { dialect, open, send, left: dialect === "postgres" ? () => pgAsked(send) : undefined };
}

async function reply(client: PrismaTransactionLike, statement: Statement, sql: string): Promise<Reply> {
  const values = statement.values;
  if (statement.expects === "rows") return { rows: rowsOf(await client.$queryRawUnsafe(sql, ...values)) };
  return { affected: await client.$executeRawUnsafe(sql, ...values) };
}

const PROVIDERS: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ["postgresql", "postgres"],
  ["postgres", "postgres"],
  ["mysql", "mysql"],
  ["sqlite", "sqlite"],
]);

/** The provider of the client's schema. */
function dialectOf(client: PrismaTransactionLike): Dialect {
  const provider: unknown = Reflect.get(client, "_activeProvider");
  const dialect = PROVIDERS.get(provider);
  if (dialect !== undefined) return dialect;
  throw new DtmError("WRONG_DRIVER", `expected a Prisma client for postgresql, mysql or sqlite, found ${String(provider)}`);
}
