/** Rolling back with a clock: a connection whose query was given up may never answer, and the server rolls back when it finds the connection gone. */

const ROLLBACK_MS = 10_000;

/** Rejects when there is no answer in time; what was asked may still happen. */
export async function rolledBack<T>(asked: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const tell = (): void => reject(new Error(`expected an answer to ROLLBACK within ${ROLLBACK_MS / 1_000} s, found none`));
    timer = setTimeout(tell, ROLLBACK_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
