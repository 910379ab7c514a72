import type { Call, Dispatcher } from "./dispatch.js";
import { Ids } from "./ids.js";
import { Keys } from "./keys.js";

/** Counts at once, as Redis does in the order of what is sent; answers come in that order, each when `answer` is called. */
function counter(): { readonly ids: Ids; answer(): Promise<void> } {
  let counted = 0;
  const answers: (() => void)[] = [];
  const one = ({ args }: Call): Promise<unknown> => {
    counted += Number(args[0]);
    const reply = counted;
    return new Promise((resolve) => answers.push(() => resolve(reply)));
  };
  const dispatcher = { one, settle: (calls: readonly Call[]) => Promise.all(calls.map(one)), nodeOf: () => "node" };
  return {
    ids: new Ids(dispatcher as unknown as Dispatcher, new Keys("dtm")),
    async answer() {
      answers.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test("a reserve is used next, and what is left of it after that", async () => {
  const { ids, answer } = counter();
  const first = ids.take(1);
  await answer();
  expect(await first).toBe(0);
  void ids.reserveMore(3);
  await answer();
  expect([await ids.take(1), await ids.take(2)]).toEqual([1, 2]);
});

test("a reserve that comes while a later number is on its way isn't used: numbers rise with the order of creation", async () => {
  const { ids, answer } = counter();
  void ids.reserveMore(1);
  const taken = ids.take(1);
  await answer();
  await answer();
  expect(await taken).toBe(1);
  const next = ids.take(1);
  await answer();
  expect(await next).toBe(2);
});
