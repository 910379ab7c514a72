/** A connection that a pool of one of MySQL's drivers gave, for one transaction: their names for it are the same. */
import { askWay, BEGIN_ANEW, Block, type Greeted, type Way, wayOf } from "./mariadb-opening.js";
import type { PreparedOption } from "./sql-barrier.js";
import { type Executor, nothing, type Reply } from "./statement.js";
import type { Session } from "./transaction.js";

interface MysqlPool {
  getConnection(): Promise<PooledConnection>;
}

interface PooledConnection extends Greeted {
  query(sql: string): Promise<unknown>;
  beginTransaction(): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): Promise<void> | void;
  destroy(): void;
}

/** What speaks on a connection of the driver's, which needn't be recognised any more. */
type ExecutorOf = (connection: unknown, prepared: PreparedOption["prepared"]) => Executor<Promise<Reply>>;

/** `given` has been recognised as a pool. */
export async function mysqlConnect(given: unknown, executorOf: ExecutorOf): Promise<Session> {
  const pool = given as MysqlPool;
  return new MysqlSession(pool, await pool.getConnection(), executorOf);
}

class MysqlSession implements Session {
  constructor(
    private readonly pool: MysqlPool,
    readonly tx: PooledConnection,
    private readonly executorOf: ExecutorOf,
  ) {}

  async begin({ prepared }: PreparedOption): Promise<Executor> {
    const way = wayOf(this.pool) ?? (await this.ask(prepared));
    // What is to be prepared is the insert alone.
    if (way === "block" && prepared !== true) {
      return new Block(this.pool, this.executorOf(this.tx, prepared), () => this.beginApart());
    }
    await (way === "apart" ? this.beginApart() : this.tx.query(BEGIN_ANEW));
    // mariadb knows only now that a transaction is open.
    return this.executorOf(this.tx, prepared);
  }

  private async ask(prepared: boolean | undefined): Promise<Way> {
    return prepared === true ? "apart" : await askWay(this.pool, this.tx, this.executorOf(this.tx, prepared));
  }

  /** What somebody left open on the connection is rolled back: BEGIN alone would commit his half-done work. */
  private async beginApart(): Promise<void> {
    await this.tx.rollback();
    await this.tx.beginTransaction();
  }

  commit(): PromiseLike<unknown> {
    return this.executorOf(this.tx, false).send(nothing`commit`);
  }

  rollback(): Promise<unknown> {
    return this.tx.rollback();
  }

  release(broken: boolean): Promise<void> | void {
    return broken ? this.tx.destroy() : this.tx.release();
  }
}
