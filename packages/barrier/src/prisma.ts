/** The barrier inside an interactive transaction of Prisma, on PostgreSQL, MySQL, MariaDB or SQLite. */
import { DtmError } from "@dtm/protocol";
import { notATransaction, ofDriver } from "./sql/recognise.js";
import { type Adapter, type SqlBarrier, sqlBarrier } from "./sql/sql-barrier.js";
import { type Dialect, inDialect, type Reply, rowsOf, type Statement } from "./sql/statement.js";

/** The `tx` of `prisma.$transaction(async (tx) => …)`. */
export interface PrismaTransactionLike {
  $queryRawUnsafe<T = unknown>(sql: string, ...values: unknown[]): PromiseLike<T>;
  $executeRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<number>;
}

/** A `PrismaClient`. */
export type PrismaClientLike = PrismaTransactionLike;

const adapter: Adapter<Promise<Reply>> = {
  name: "prisma",
  transaction(tx) {
    const found = ofDriver("prisma", tx);
    if (found.role !== "transaction") throw notATransaction(found);
    return executor(tx as PrismaTransactionLike, true);
  },
  database(db) {
    return executor(db as PrismaClientLike, ofDriver("prisma", db).role === "transaction");
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

function executor(client: PrismaTransactionLike, open: boolean): ReturnType<typeof adapter.transaction> {
  const dialect = dialectOf(client);
  return {
    dialect,
    open,
    send: async (statement) => reply(client, statement, inDialect(dialect, statement)),
  };
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
