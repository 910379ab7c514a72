import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { awaitEnds, wallMs } from "./ends.mjs";
import { runClosedLoop } from "./load.mjs";
import { PATTERNS } from "./patterns.mjs";
import { WireClient } from "./wire.mjs";

/** A coordinator that answers every submit, and shows what `statusFor` says when queried. */
async function fakeCoordinator(t, statusFor) {
  const server = createServer((request, response) => {
    request.resume();
    const url = new URL(request.url, "http://x");
    const answer = url.pathname.endsWith("/query")
      ? { transaction: { status: statusFor(url.searchParams.get("gid")) } }
      : { dtm_result: "SUCCESS" };
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new WireClient({ port: server.address().port, connections: 4 });
  t.after(() => {
    client.close();
    server.close();
  });
  return client;
}

const services = {
  stats: async () => ({ cpuMs: 0, services: { it: { answered: Number.POSITIVE_INFINITY, lastMs: wallMs() } } }),
};

const job = (coordinator, wait) => ({
  pattern: PATTERNS.saga,
  concurrency: 4,
  wait,
  warmupMs: 20,
  windowMs: 100,
  coordinator,
  service: "http://127.0.0.1:1",
  serviceName: "it",
  services,
  pid: () => process.pid,
});

test("R32: an answered submit counts only if query shows it succeed", async (t) => {
  let asked = 0;
  const coordinator = await fakeCoordinator(t, () => (asked++ % 2 === 0 ? "succeed" : "submitted"));
  const figures = await runClosedLoop(job(coordinator, true));
  const answered = figures.submitMs.length;
  assert.ok(answered > 0);
  assert.equal(figures.finished, Math.ceil(answered / 2));
  assert.equal(figures.notFinal, Math.floor(answered / 2));
});

test("without waiting, the window lasts until the last one is final", async (t) => {
  const looks = new Map();
  const coordinator = await fakeCoordinator(t, (gid) => {
    looks.set(gid, (looks.get(gid) ?? 0) + 1);
    return looks.get(gid) < 3 ? "submitted" : "succeed";
  });
  const figures = await runClosedLoop(job(coordinator, false));
  assert.equal(figures.notFinal, 0);
  assert.equal(figures.finished, figures.submitMs.length);
  assert.ok(figures.seconds > 0.1);
});

test("awaitEnds gives up at its limit and says how many are left", async (t) => {
  const coordinator = await fakeCoordinator(t, (gid) => (gid === "stays" ? "submitted" : "succeed"));
  const callsSeen = async () => ({ answered: 2, lastMs: wallMs() });
  const ends = await awaitEnds({ client: coordinator, gids: ["ends", "stays"], callsSeen, expectedCalls: 2, limitMs: 60 });
  assert.deepEqual({ ...ends }, { endMs: null, unfinished: 1, succeed: 1, failed: 0 });
});
