import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AlertEvent } from "../engine/drive.js";
import { type AlertOptions, openAlerts } from "./alert.js";

type Answer = (response: ServerResponse, body: string) => void;

let server: Server;
let url: string;
let answer: Answer;
let heard: string[];
let waiting: (() => void)[];
const warned: object[] = [];
const results: string[] = [];

beforeEach(async () => {
  heard = [];
  waiting = [];
  warned.length = 0;
  results.length = 0;
  answer = (response) => response.end();
  server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      heard.push(`${request.method} ${request.headers["content-type"]} ${body}`);
      answer(response, body);
      for (const look of waiting.splice(0)) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?key=hush`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const silent = { debug() {}, info() {}, error() {}, warn: note };
/** That the branch fails at all is said too, and looked at elsewhere. */
function note(fields: object, text: string): void {
  if (text !== "branch keeps failing") warned.push(fields);
}

function hook(options: Partial<AlertOptions> = {}) {
  return openAlerts({ url, log: silent, count: (result) => void results.push(result), backOffMs: 1, ...options });
}

function event(gid: string): AlertEvent {
  return { gid, status: "submitted", branch: "http://h/a", error: "down", retryCount: 3 };
}

async function until(claim: () => boolean): Promise<void> {
  while (!claim()) await new Promise<void>((resolve) => waiting.push(resolve));
}

test("posts dtm's payload (protocol.md 4.9)", async () => {
  const alerts = hook();
  alerts.alert(event("g1"));
  await until(() => heard.length === 1);
  await alerts.close();
  expect(heard).toEqual([
    'POST application/json {"gid":"g1","status":"submitted","branch":"http://h/a","error":"down","retry_count":3}',
  ]);
  expect(results).toEqual(["sent"]);
});

test.each([204, 302, 404, 500, 503])("an answer of %d is one: the hook has heard, and is not told again", async (status) => {
  answer = (response) => {
    response.statusCode = status;
    response.end();
  };
  const alerts = hook();
  alerts.alert(event("g1"));
  alerts.alert(event("g2"));
  await until(() => heard.length === 2);
  await alerts.close();
  expect(heard).toHaveLength(2);
  expect(results).toEqual(["sent", "sent"]);
});

test("tells a hook again that broke off", async () => {
  answer = (response) => {
    if (heard.length < 3) response.destroy();
    else response.end();
  };
  const alerts = hook();
  alerts.alert(event("g1"));
  await until(() => heard.length === 3);
  await alerts.close();
  expect(results).toEqual(["sent"]);
});

test("gives up after four attempts, and says so without the URL, which may carry a key", async () => {
  answer = (response) => void response.destroy();
  const alerts = hook();
  alerts.alert(event("g1"));
  await until(() => heard.length === 4);
  await alerts.close();
  expect(results).toEqual(["failed"]);
  expect(warned).toEqual([{ gid: "g1", attempts: 4, trouble: "SocketError" }]);
});

test("does not wait for a hook that never answers", async () => {
  answer = () => undefined;
  const alerts = hook({ timeoutMs: 5 });
  alerts.alert(event("g1"));
  await until(() => heard.length === 4);
  await alerts.close();
  expect(results).toEqual(["failed"]);
});

test("keeps no more than its queue holds; the rest is dropped and said", async () => {
  const held: ServerResponse[] = [];
  answer = (response) => void held.push(response);
  const alerts = hook({ mostQueued: 2 });
  for (let n = 0; n < 10; n++) alerts.alert(event(`g${n}`));
  // Four are being posted, two wait.
  expect(results).toEqual(["dropped", "dropped", "dropped", "dropped"]);
  expect(warned).toEqual([{ dropped: 1 }]);
  await until(() => held.length === 4);
  answer = (response) => response.end();
  for (const response of held) response.end();
  await until(() => heard.length === 6);
  await alerts.close();
  expect(results.filter((result) => result === "sent")).toHaveLength(6);
});

test("closing ends the pauses and counts what was not sent", async () => {
  answer = (response) => void response.destroy();
  const alerts = hook({ backOffMs: 3_600_000 });
  for (let n = 0; n < 7; n++) alerts.alert(event(`g${n}`));
  await until(() => heard.length === 4);
  await alerts.close();
  expect(warned).toContainEqual({ dropped: 3 });
  alerts.alert(event("late"));
  expect(heard.length).toBeLessThanOrEqual(8);
});

test("without a hook nothing happens", async () => {
  const alerts = openAlerts({ url: "", log: silent });
  alerts.alert(event("g1"));
  await alerts.close();
  expect(heard).toEqual([]);
});
