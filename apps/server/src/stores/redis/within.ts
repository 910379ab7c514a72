/**
 * The clock of everything that waits for Redis: ioredis bounds the TCP handshake alone, and a server that is frozen, or that is no Redis,
 * takes the connection and says nothing.
 */

/** How long an operation waits for a Redis that just went away (R7). */
export const PATIENCE_MS = 5_000;

export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** Rejects with NoAnswer when it takes longer; what goes on then is the caller's to end. */
export async function within<T>(millis: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new NoAnswer(`no answer within ${Math.round(millis)} ms`));
    // When this whole process was held up, the answer may be there and only be unread: sockets are read before the second turn.
    timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), millis);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
