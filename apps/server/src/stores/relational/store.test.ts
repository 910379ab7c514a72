/** What the shared part asks where. What becomes of it is the contract's question, on real databases. */
import { NOW } from "../contract/fixtures.js";
import type { Session } from "./database.js";
import type { Statements } from "./statements.js";
import { type Reads, RelationalStore } from "./store.js";
import { NO_LIMITS } from "./texts.js";

const DAY = 86_400_000;

/** `oldest` is what the reads answer; the lane's own connection does whatever it is asked at once. */
async function opened(oldest: Promise<number | null>) {
  const swept: unknown[] = [];
  const done = async (): Promise<void> => undefined;
  const statements = {
    sweep: async (ask: unknown) => swept.push(ask),
    deleteKey: async () => true,
    oldestOwn: () => Promise.reject(new Error("asked in the lane")),
  } as unknown as Statements;
  const session = { statements, changes: 0, begin: done, commit: done, noted: done, noteBatch: () => undefined, close: done };
  const store = new RelationalStore({
    connect: async () => ({ ...session, forgetLane: done }) as unknown as Session,
    prepare: async () => NO_LIMITS,
    reads: { oldestOwn: () => oldest, close: done } as unknown as Reads,
  });
  await store.open();
  return { store, swept };
}

test("a sweep that doesn't know yet where to begin keeps no write waiting", async () => {
  let answer: (oldest: number) => void = () => undefined;
  const { store, swept } = await opened(
    new Promise((resolve) => {
      answer = resolve;
    }),
  );
  const sweeping = store.sweep({ endedBefore: NOW, limit: 10 });
  expect(await store.deleteKey("topics", "t")).toBe(true);
  expect(swept).toEqual([]);
  answer(NOW - DAY);
  expect(await sweeping).toBe(1);
  expect(swept).toEqual([expect.objectContaining({ createdFrom: NOW - DAY, endedBefore: NOW, limit: 10 })]);
  await store.close();
});

test("where nothing is ours the lane isn't asked at all", async () => {
  const { store, swept } = await opened(Promise.resolve(null));
  expect(await store.sweep({ endedBefore: NOW, limit: 10 })).toBe(0);
  expect(swept).toEqual([]);
  await store.close();
});
