import { Embedded, type Invocation, type Outcome, openStorage, settle, VirtualClock } from "./embedded.js";

const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function world(call: (invocation: Invocation) => Promise<Outcome>) {
  const clock = new VirtualClock();
  const storage = openStorage(() => clock.now());
  const begin = async (): Promise<Embedded> => {
    const made = new Embedded({ storage, clock, participants: { call }, random: () => 0 });
    await made.start();
    return made;
  };
  return { clock, begin };
}

const saga = (gid: string) => ({
  method: "POST",
  url: "/api/dtmsvr/submit",
  body: encode({ gid, trans_type: "saga", steps: [{ action: "http://a/out", compensate: "http://a/back" }], payloads: ["{}"] }),
});

async function statusOf(server: Embedded, gid: string): Promise<unknown> {
  const answer = await server.handle({ method: "GET", url: `/api/dtmsvr/query?gid=${gid}` });
  return (JSON.parse(answer.body) as { transaction: { status: string } | null }).transaction?.status;
}

test("a week of retries takes no time", async () => {
  let calls = 0;
  const back = 7 * 86_400_000;
  const { clock, begin } = world(async () => {
    calls++;
    return clock.now() - began < back ? { kind: "unknown", message: "down" } : { kind: "success" };
  });
  const began = clock.now();
  const server = await begin();
  expect(await server.handle(saga("g"))).toEqual({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
  await clock.advance(back - 1);
  expect(await statusOf(server, "g")).toBe("submitted");
  await clock.advance(2 * 3_600_000);
  expect(await statusOf(server, "g")).toBe("succeed");
  expect(calls).toBeGreaterThan(100);
  await server.stop(AbortSignal.abort());
});

test("a crash ends everything that was under way, and the next one goes on from what is stored", async () => {
  const called: string[] = [];
  const { clock, begin } = world((invocation) => {
    called.push(invocation.op);
    return called.length === 1 ? new Promise(() => undefined) : Promise.resolve({ kind: "success" });
  });
  const first = await begin();
  await first.handle(saga("g"));
  await settle();
  expect(called).toEqual(["action"]);
  first.crash();
  let answered = false;
  void first.handle(saga("h")).then(() => {
    answered = true;
  });
  await clock.advance(3_600_000);
  expect(answered).toBe(false);
  expect(called).toEqual(["action"]);
  const second = await begin();
  await clock.advance(1_000);
  expect(await statusOf(second, "g")).toBe("succeed");
  expect(await statusOf(second, "h")).toBeUndefined();
  expect(called).toEqual(["action", "action"]);
});

test("errors and unknown routes are answered as over HTTP", async () => {
  const { begin } = world(async () => ({ kind: "success" }));
  const server = await begin();
  expect((await server.handle({ method: "GET", url: "/nowhere" })).status).toBe(404);
  const refused = await server.handle({
    method: "POST",
    url: "/api/dtmsvr/submit",
    body: encode({ gid: "", trans_type: "saga" }),
  });
  expect(refused.status).toBe(500);
  expect(JSON.parse(refused.body)).toHaveProperty("message");
  const topic = { method: "GET", url: "/api/dtmsvr/subscribe?topic=t&url=http://s&remark=" };
  expect((await server.handle(topic)).status).toBe(200);
  expect((await server.handle({ method: "DELETE", url: "/api/dtmsvr/topic/t" })).status).toBe(200);
});
