/** waitFor: how long it asks, and what it tells when that wasn't long enough. */
import { TransactionError } from "../src/index.js";
import { error, late, type Scripted, ScriptedClient, ScriptedTransport, silent, stored } from "./scripted.js";

/** A clock that only pauses move. */
function start(query: Scripted[]) {
  let now = 0;
  const time = {
    monotonic: () => now,
    pause: async (ms: number) => {
      now += ms;
    },
    random: () => 0,
  };
  const transport = new ScriptedTransport({ query });
  return { transport, client: new ScriptedClient(transport, {}, time) };
}

const failureOf = async (wait: Promise<unknown>): Promise<TransactionError> => {
  const found: unknown = await wait.catch((reason: unknown) => reason);
  if (found instanceof TransactionError) return found;
  throw new Error(`expected a TransactionError, found ${String(found)}`);
};

test.each<[string, Scripted[], string, string | undefined, string | undefined]>([
  ["the status", [stored("submitted")], "found 'submitted' when the 1000 ms were up", "submitted", undefined],
  ["the last of several", [stored("submitted"), stored("aborting")], "found 'aborting'", "aborting", undefined],
  [
    "the status, also when the last query's time is up",
    [stored("submitted"), late],
    "found 'submitted'",
    "submitted",
    "DEADLINE_EXCEEDED",
  ],
  ["… or meets an outage", [stored("submitted"), silent], "found 'submitted'", "submitted", "COORDINATOR_UNREACHABLE"],
  ["no answer", [silent], "found no answer (query of g got no answer", undefined, "COORDINATOR_UNREACHABLE"],
  ["an error", [error], "found no answer (query of g was answered with an error", undefined, "COORDINATOR_ERROR"],
  // Four tries make one query.
  [
    "what was met before the time of the last query was up",
    [silent, silent, silent, silent, late],
    "connection reset",
    undefined,
    "COORDINATOR_UNREACHABLE",
  ],
  ["the status after an outage", [silent, stored("submitted")], "found 'submitted'", "submitted", undefined],
])("the time is up: it tells %s", async (_, query, message, status, cause) => {
  const { client } = start(query);
  const failure = await failureOf(client.waitFor("g", { timeoutMs: 1_000 }));
  expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED", gid: "g" });
  expect(failure.message).toContain(message);
  expect(failure.status).toBe(status);
  expect((failure.cause as { code?: string } | undefined)?.code).toBe(cause);
});

test("no query begins with less time than an answer takes", async () => {
  const { client, transport } = start([stored("submitted")]);
  // Pauses of 20, 40, 80 and 160 ms leave 5.
  const failure = await failureOf(client.waitFor("g", { timeoutMs: 305 }));
  expect(transport.timeouts["query"]).toEqual([153, 143, 123, 83]);
  expect(failure.status).toBe("submitted");
});

test("however short the time is, it is asked once", async () => {
  const { client, transport } = start([stored("succeed")]);
  expect(await client.waitFor("g", { timeoutMs: 1 })).toMatchObject({ status: "succeed" });
  expect(transport.log).toEqual(["query"]);
});

test("its caller gives up: the status and the reason come with it", async () => {
  const enough = new Error("enough");
  const controller = new AbortController();
  const { client, transport } = start([stored("submitted")]);
  transport.arrived = () => {
    if (transport.log.length === 3) controller.abort(enough);
  };
  const failure = await failureOf(client.waitFor("g", { signal: controller.signal }));
  expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED", status: "submitted", cause: enough });
  expect(failure.message).toBe("waited for the end of g, found 'submitted' when its caller gave up");
});

test.each(["in a pause", "during a query"])("the client is closed %s", async (when) => {
  const transport = new ScriptedTransport({ query: [stored("submitted"), when === "in a pause" ? stored("submitted") : silent] });
  const client: ScriptedClient = new ScriptedClient(
    transport,
    {},
    {
      monotonic: () => 0,
      pause: async () => {
        if (when === "in a pause") client.close();
      },
      random: () => 0,
    },
  );
  transport.arrived = () => {
    if (when === "during a query" && transport.log.length === 2) client.close();
  };
  const failure = await failureOf(client.waitFor("g"));
  expect(failure).toMatchObject({ code: "CLIENT_CLOSED", gid: "g", status: "submitted", cause: { code: "CLIENT_CLOSED" } });
  expect(failure.message).toContain("found 'submitted' when the client was closed");
});
