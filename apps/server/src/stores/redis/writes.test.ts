/** A batch whose number, or the next one's, is hard to get: that is the matter of new transactions only. */
import { StoreUnavailable } from "../store.js";
import type { Call, Dispatcher } from "./dispatch.js";
import { Ids } from "./ids.js";
import { Keys } from "./keys.js";
import { script } from "./script.js";
import { type Write, Writer } from "./writes.js";

const SCRIPT = script("any", "return {'done'}");

/** Counts on a node of its own; `count` answers each time. */
function writerThat(count: () => Promise<unknown>) {
  const sent: (readonly unknown[])[] = [];
  const settle = async (calls: readonly Call[]): Promise<unknown[]> =>
    Promise.all(
      calls.map(async ({ tag, args }) => {
        if (tag === "meta") return count();
        sent.push(args);
        return ["done"];
      }),
    );
  const one = async (call: Call): Promise<unknown> => {
    const [result] = await settle([call]);
    if (result instanceof Error) throw result;
    return result;
  };
  const nodeOf = (tag: unknown): string => (tag === "meta" ? "one" : "other");
  const dispatcher = { settle, one, nodeOf } as unknown as Dispatcher;
  const keys = new Keys("dtm");
  return { writer: new Writer({ dispatcher, keys, ids: new Ids(dispatcher, keys), waits: false }), sent };
}

function write(subject: string, numbered: boolean): Write {
  return { script: SCRIPT, tag: 1, keys: [], subject, numbered, args: (id) => [subject, String(id)] };
}

test("without a number only those that need one fail; what follows on the same gid is sent", async () => {
  const { writer, sent } = writerThat(async () => new StoreUnavailable("nobody counts"));
  const done = { word: "done", row: undefined };
  const results = await writer.flush([write("a", false), write("b", true), write("b", false), write("c", false)]);
  expect(results).toEqual([done, expect.any(StoreUnavailable), done, done]);
  expect(sent.map((args) => args.slice(3))).toEqual([
    ["a", "0"],
    ["c", "0"],
    ["b", "0"],
  ]);
});

test("answers don't wait for the next batch's numbers from another node", async () => {
  let counted = 0;
  const { writer, sent } = writerThat(() => (++counted === 1 ? Promise.resolve(7) : new Promise(() => undefined)));
  expect(await writer.flush([write("a", true)])).toEqual([{ word: "done", row: undefined }]);
  expect(sent.map((args) => args.slice(3))).toEqual([["a", "7"]]);
  expect(counted).toBe(2);
});
