/** Rejects with the first error in order, and not before all are over: nothing may be left that goes on in the next transaction. */
export async function together<T extends readonly unknown[]>(work: [...T]): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  for (const end of await Promise.allSettled(work)) if (end.status === "rejected") throw end.reason;
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}
