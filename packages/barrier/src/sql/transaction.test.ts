import type { Executor, Reply } from "./statement.js";
import { poolBarrier, type Session } from "./transaction.js";

const branch = { gid: "g", transType: "saga", branchId: "01", op: "action" };
const executor: Executor<Promise<Reply>> = { dialect: "sqlite", open: true, send: async () => ({ rows: [{ op: "action" }] }) };

test("a connection that doesn't answer to ROLLBACK is destroyed, and the work's error comes out", async () => {
  jest.useFakeTimers();
  try {
    const release = jest.fn();
    const session: Session = {
      tx: {},
      begin: async () => executor,
      commit: async () => undefined,
      rollback: () => new Promise(() => undefined),
      release,
    };
    const barrier = poolBarrier<object, object, object>({
      transaction: () => executor,
      database: () => executor,
      connect: async () => session,
    });
    const cause = new Error("the query met its limit");
    const ended = barrier.transaction({}, () => Promise.reject(cause), { branch }).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await ended).toBe(cause);
    expect(release).toHaveBeenCalledWith(true);
  } finally {
    jest.useRealTimers();
  }
});
