/** A claim whose answer says nothing: it may have happened, so it fails, and whoever claims reads it back by its owner (R7). */
import { StoreUnavailable } from "../store.js";
import { Claims } from "./claims.js";
import type { Call, Dispatcher } from "./dispatch.js";
import { Keys, padded, shardOf } from "./keys.js";
import { CLAIM } from "./lua/claim.js";
import { WAITING } from "./lua/waiting.js";
import { Nodes } from "./nodes.js";

const GID = "one";
const SEEN = `1${padded(1)}${padded(1)}${GID}`;
const CLAIMED = { owner: "here:1", limit: 1, now: 2 };

/** One transaction waits; `answer` is what its claim is told. */
function claimsTold(answer: unknown): Claims {
  const reply = ({ script, tag }: Call): unknown => {
    if (script === CLAIM) return answer;
    return script === WAITING && tag === shardOf(GID) ? [SEEN] : [];
  };
  const settle = async (calls: readonly Call[]): Promise<unknown[]> => calls.map(reply);
  // The epochs that live, and those whose death isn't spread yet.
  const one = async (): Promise<unknown> => [["here"], []];
  const dispatcher = { settle, one, nodeOf: () => "one" } as unknown as Dispatcher;
  const keys = new Keys("dtm");
  return new Claims(dispatcher, keys, new Nodes(dispatcher, keys));
}

test("a row that somebody else took is none of ours", async () => {
  expect(await claimsTold([[]]).claimWaiting("http://shop", CLAIMED)).toEqual([]);
});

test.each([[null], ["OK"], [[]], [[null]], [[[], []]]])("a claim that is answered with %j may have happened", async (answer) => {
  await expect(claimsTold(answer).claimWaiting("http://shop", CLAIMED)).rejects.toThrow(StoreUnavailable);
});
