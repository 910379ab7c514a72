/**
 * MySQL's statements outside a transaction. A session may have autocommit off, where a statement begins a transaction and leaves it open: what
 * `queryPrepared` and `cleanUp` say by it could still be rolled back. So each is committed before its answer is believed.
 */
import { rolledBack } from "./rollback.js";
import { transactionOpen } from "./rows.js";
import { type Executor, nothing, type Reply } from "./statement.js";
import { fails, type Session } from "./transaction.js";

/** Has a statement sent in a transaction, which is committed by the time it answers. */
export type Within = (send: (tx: Executor) => Promise<Reply>) => PromiseLike<Reply>;

/** `executor` with each statement committed; itself where it is anyway, or where the transaction that is open is somebody else's. */
export function committed(executor: Executor<Promise<Reply>>, within: Within): Executor<Promise<Reply>> {
  if (executor.dialect !== "mysql" || executor.open === true) return executor;
  return {
    ...executor,
    async send(statement) {
      const reply = await within(async (tx) => await tx.send(statement));
      // What the server said of it was said before the commit.
      return { ...reply, open: false };
    },
  };
}

/** On a connection that `connect` takes out of a pool for each statement. */
export function onPool(connect: () => Promise<Session>, executorOf: (connection: unknown) => Executor): Within {
  return async (send) => {
    const session = await connect();
    let broken = false;
    try {
      // Whoever had it before may have left a transaction, which nobody will commit any more.
      await session.rollback();
      const reply = await send(executorOf(session.tx));
      await session.commit();
      return reply;
    } catch (cause) {
      broken = await fails(rolledBack(session.rollback()));
      throw cause;
    } finally {
      await session.release(broken);
    }
  };
}

/** On the caller's own connection: without a transaction before the statement, what is open after it is the statement's. */
export function onConnection(executor: Executor, connection: Pick<Session, "commit" | "rollback">): Within {
  return async (send) => {
    await refuseOpen(executor);
    try {
      const reply = await send(executor);
      await connection.commit();
      return reply;
    } catch (cause) {
      await fails(rolledBack(connection.rollback()));
      throw cause;
    }
  };
}

/**
 * Asks the server, whose answer to a statement that does nothing tells.
 *
 * @throws DtmError TRANSACTION_OPEN
 */
export async function refuseOpen(executor: Executor): Promise<void> {
  const { open } = await executor.send(nothing`do 0`);
  if (open === true) throw transactionOpen();
}
