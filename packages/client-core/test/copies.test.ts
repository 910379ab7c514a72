/** An application can load the ES module and the CommonJS build: two copies of the code, one state. */
import { DtmError } from "@dtm/protocol";
import { TransactionError } from "../src/index.js";
import { ScriptedTransport, stored } from "./scripted.js";

type Copy = typeof import("./scripted.js");

function copy(): Copy {
  let loaded: Copy | null = null;
  jest.isolateModules(() => {
    loaded = jest.requireActual<Copy>("./scripted.js");
  });
  if (loaded === null) throw new Error("nothing was loaded");
  return loaded;
}

test("nested branches of one call are counted together, whichever copy opens them", async () => {
  const transport = new ScriptedTransport({});
  const [one, other] = [copy(), copy()];
  expect(one.ScriptedClient).not.toBe(other.ScriptedClient);
  const parent = { gid: "g", transType: "xa", branchId: "01" };
  const ids: string[] = [];
  for (const { ScriptedClient } of [one, other]) {
    const { branchId } = await new ScriptedClient(transport).xaFrom(parent).branch({ url: "http://a" });
    ids.push(branchId);
  }
  expect(ids).toEqual(["0101", "0102"]);
});

test("an error of one copy is a TransactionError to the other, and no other error is", async () => {
  const other = copy();
  const client = new other.ScriptedClient(new ScriptedTransport({ query: [stored(null)] }));
  const error: unknown = await client.waitFor("g").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "TransactionError", code: "TRANSACTION_UNKNOWN", gid: "g" });
  expect(error instanceof TransactionError).toBe(true);
  expect(error instanceof DtmError).toBe(true);
  const misuse: unknown = await client.query("").catch((reason: unknown) => reason);
  expect(misuse instanceof DtmError).toBe(true);
  expect(misuse instanceof TransactionError).toBe(false);
});
