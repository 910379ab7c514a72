import { Lane } from "./lane.js";
import { StoreOverloaded, StoreUnavailable } from "./store.js";

/** A flush that ends when the test says so. */
function controlled() {
  const flushes: {
    readonly batch: readonly number[];
    end(results?: readonly (number | Error)[]): void;
    fail(cause: Error): void;
  }[] = [];
  const flush = (batch: readonly number[]): Promise<readonly (number | Error)[]> =>
    new Promise((resolve, reject) => {
      flushes.push({ batch, end: (results) => resolve(results ?? batch), fail: reject });
    });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { flush, flushes, turn };
}

test("an idle lane flushes in the same tick; what arrives meanwhile becomes one batch, in order", async () => {
  const { flush, flushes, turn } = controlled();
  const lane = new Lane(flush);
  const first = [lane.push(1, 1), lane.push(2, 1)];
  await Promise.resolve();
  expect(flushes.map((f) => f.batch)).toEqual([[1, 2]]);
  const second = [lane.push(3, 1), lane.push(4, 1)];
  await turn();
  expect(flushes).toHaveLength(1);
  flushes[0]?.end();
  expect(await Promise.all(first)).toEqual([1, 2]);
  await turn();
  expect(flushes[1]?.batch).toEqual([3, 4]);
  flushes[1]?.end();
  expect(await Promise.all(second)).toEqual([3, 4]);
});

test("with the next first, a batch is answered when the next one is on its way; the last one at once", async () => {
  const { flush, flushes } = controlled();
  const lane = new Lane(flush, { nextFirst: true });
  const seen: string[] = [];
  const watched = (n: number) =>
    lane.push(n, 1).then((answer) => seen.push(`answered ${answer}, ${flushes.length} flushes begun`));
  const first = watched(1);
  await Promise.resolve();
  const second = watched(2);
  flushes[0]?.end();
  await first;
  flushes[1]?.end();
  await second;
  expect(seen).toEqual(["answered 1, 2 flushes begun", "answered 2, 2 flushes begun"]);
});

test("a batch ends at its operations and its bytes, but a heavy one goes alone", async () => {
  const batches: (readonly number[])[] = [];
  const lane = new Lane(
    async (batch: readonly number[]) => {
      batches.push(batch);
      return batch;
    },
    { limits: { batchOperations: 3, batchBytes: 10, queueOperations: 100, queueBytes: 1000 } },
  );
  await Promise.all([1, 2, 3, 4].map((n) => lane.push(n, 1)).concat([lane.push(5, 50), lane.push(6, 6), lane.push(7, 6)]));
  expect(batches).toEqual([[1, 2, 3], [4], [5], [6], [7]]);
});

test("one bad operation fails alone; a failed flush fails its batch and no other", async () => {
  const { flush, flushes, turn } = controlled();
  const lane = new Lane(flush);
  const pair = Promise.allSettled([lane.push(1, 1), lane.push(2, 1)]);
  await turn();
  flushes[0]?.end([new Error("bad"), 2]);
  expect((await pair).map((r) => r.status)).toEqual(["rejected", "fulfilled"]);
  const lost = lane.push(3, 1);
  await turn();
  flushes[1]?.fail(new StoreUnavailable("gone"));
  await expect(lost).rejects.toThrow(StoreUnavailable);
  const next = lane.push(4, 1);
  await turn();
  flushes[2]?.end();
  expect(await next).toBe(4);
});

test("the queue is bounded by operations and by bytes (R7)", async () => {
  const { flush, flushes, turn } = controlled();
  const lane = new Lane(flush, { limits: { batchOperations: 10, batchBytes: 1000, queueOperations: 2, queueBytes: 100 } });
  const running = lane.push(0, 1);
  await turn();
  const queued = [lane.push(1, 10), lane.push(2, 10)];
  await expect(lane.push(3, 1)).rejects.toThrow(StoreOverloaded);
  flushes[0]?.end();
  await running;
  await turn();
  const heavy = lane.push(4, 90);
  await expect(lane.push(5, 20)).rejects.toThrow(StoreOverloaded);
  flushes[1]?.end();
  await Promise.all(queued);
  await turn();
  flushes[2]?.end();
  expect(await heavy).toBe(4);
});

test("close flushes what was accepted and refuses the rest", async () => {
  const { flush, flushes, turn } = controlled();
  const lane = new Lane(flush);
  const accepted = lane.push(1, 1);
  const closed = lane.close();
  await expect(lane.push(2, 1)).rejects.toThrow(StoreUnavailable);
  await turn();
  flushes[0]?.end();
  await closed;
  expect(await accepted).toBe(1);
});

test("every flush is counted with its operations, one that failed too", async () => {
  const flushed = jest.fn();
  const lane = new Lane<number, number>(
    async (batch) => {
      if (batch.includes(13)) throw new StoreUnavailable("gone");
      return batch;
    },
    { flushed },
  );
  await Promise.all([lane.push(1, 1), lane.push(2, 1)]);
  await expect(lane.push(13, 1)).rejects.toThrow(StoreUnavailable);
  expect(flushed.mock.calls).toEqual([
    [2, expect.any(Number)],
    [1, expect.any(Number)],
  ]);
});
