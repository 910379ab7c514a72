/** What close() does to calls under way: they fail, and nothing is sent any more. */
import { type Client, noCompensation } from "../src/index.js";
import { conflict, done, error, type Scripted, ScriptedClient, ScriptedTransport, silent, stored } from "./scripted.js";

const branch = { try: "http://try", confirm: "http://confirm", cancel: "http://cancel" };

test.each<[string, (client: Client) => Promise<unknown>, Record<string, Scripted[]>, string[]]>([
  [
    "submit",
    (client) => client.saga().step({ action: "http://a", compensate: noCompensation() }).submit(),
    { submit: [silent, done] },
    ["submit", "close"],
  ],
  [
    "submit, waiting",
    (client) => client.saga().step({ action: "http://a", compensate: noCompensation() }).submit({ waitResult: true }),
    { submit: [error], query: [stored("succeed")] },
    ["submit", "close"],
  ],
  [
    "submit, answered with what has to be asked about",
    (client) => client.saga().step({ action: "http://a", compensate: noCompensation() }).submit(),
    { submit: [conflict("x FAILURE")], query: [stored("succeed")] },
    ["submit", "close"],
  ],
  [
    "prepare",
    (client) => client.msg().step({ action: "http://a" }).prepare("http://q"),
    { prepare: [silent, done] },
    ["prepare", "close"],
  ],
  ["abort", (client) => client.msg().step({ action: "http://a" }).abort(), { abort: [silent, done] }, ["abort", "close"]],
  ["newGid", (client) => client.newGid(), { newGid: [silent, { kind: "done", value: "g" }] }, ["newGid", "close"]],
  ["query", (client) => client.query("g"), { query: [silent, stored("succeed")] }, ["query", "close"]],
  ["waitFor", (client) => client.waitFor("g"), { query: [silent, stored("succeed")] }, ["query", "close"]],
  ["topics", (client) => client.topics.subscribe("t", "http://a"), { topic: [silent, done] }, ["topic", "close"]],
  [
    "registerXaBranch",
    (client) => client.registerXaBranch({ gid: "g", branchId: "01", url: "http://a" }),
    { registerBranch: [silent, done] },
    ["registerBranch", "close"],
  ],
])("%s fails with CLIENT_CLOSED and isn't sent again", async (_, work, script, log) => {
  const transport = new ScriptedTransport(script);
  const client = new ScriptedClient(transport);
  transport.arrived = () => client.close();
  await expect(work(client)).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  expect(transport.log).toEqual(log);
});

test("an answer that came in time is one", async () => {
  const transport = new ScriptedTransport({});
  const client = new ScriptedClient(transport);
  transport.arrived = () => client.close();
  await client.saga().step({ action: "http://a", compensate: noCompensation() }).submit();
  expect(transport.log).toEqual(["submit", "close"]);
});

test("a branch that is registered meanwhile isn't tried", async () => {
  const transport = new ScriptedTransport({});
  const warnings: Error[] = [];
  const client = new ScriptedClient(transport, { onWarning: (warning) => warnings.push(warning) });
  transport.arrived = (operation) => {
    if (operation === "registerBranch") client.close();
  };
  await expect(client.tcc((tcc) => tcc.branch(branch))).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  expect(transport.log).toEqual(["prepare", "registerBranch", "close"]);
  expect(warnings).toMatchObject([{ code: "CLIENT_CLOSED" }]);
});
