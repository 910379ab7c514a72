import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { parseAnswer, WireClient } from "./wire.mjs";

const bytes = (text) => Buffer.from(text, "latin1");

test("an answer is complete only when its last byte is there", () => {
  const whole = "HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nabcd";
  for (let cut = 0; cut < whole.length; cut++) assert.equal(parseAnswer(bytes(whole.slice(0, cut))), null);
  assert.deepEqual(parseAnswer(bytes(whole)), { status: 409, close: false, body: "abcd" });
});

test("chunked bodies are joined, and wait for the empty chunk", () => {
  const whole = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (let cut = 0; cut < whole.length; cut++) assert.equal(parseAnswer(bytes(whole.slice(0, cut))), null);
  assert.equal(parseAnswer(bytes(whole)).body, "abcde");
});

test("more requests than connections all get their own answer", async (t) => {
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => response.end(`${request.url} ${Buffer.concat(parts)}`));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new WireClient({ port: server.address().port, connections: 3 });
  t.after(() => {
    client.close();
    server.close();
  });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => client.post(`/n${i}`, `body${i}`)));
  assert.deepEqual(
    answers.map((answer) => answer.body),
    Array.from({ length: 20 }, (_, i) => `/n${i} body${i}`),
  );
});

test("a refused connection rejects the request and leaves the client usable", async () => {
  const client = new WireClient({ port: 1, connections: 1 });
  await assert.rejects(client.get("/"));
  await assert.rejects(client.get("/"));
});
