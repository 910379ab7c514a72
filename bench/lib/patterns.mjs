/** The three workloads, as an SDK would send them. Each answers with the latency of its `submit` alone, and whether all went well. */
import { randomFillSync } from "node:crypto";

const API = "/api/dtmsvr";
const PAYLOAD = JSON.stringify({ amount: 30 });

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const pool = new Uint8Array(22 * 512);
let used = pool.length;

/** Random like the gids of real clients (protocol.md 1.4): ascending ones would flatter every B-tree. */
export function newGid() {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let gid = "";
  for (const end = used + 22; used < end; used++) gid += ALPHABET[pool[used] % ALPHABET.length];
  return gid;
}

class Refused extends Error {}

function expectOk(answer, what) {
  if (answer.status !== 200) throw new Refused(`${what} answered ${answer.status}: ${answer.body.slice(0, 200)}`);
}

async function post(client, call, body) {
  expectOk(await client.post(`${API}/${call}`, JSON.stringify(body)), call);
}

async function timedSubmit(client, body) {
  const started = performance.now();
  await post(client, "submit", body);
  return performance.now() - started;
}

export function sagaBody(gid, service, wait) {
  const step = (n) => ({ action: `${service}/a${n}`, compensate: `${service}/c${n}` });
  return { gid, trans_type: "saga", steps: [step(1), step(2)], payloads: [PAYLOAD, PAYLOAD], wait_result: wait };
}

async function saga({ coordinator, service, gid, wait }) {
  return timedSubmit(coordinator, sagaBody(gid, service, wait));
}

async function msg({ coordinator, service, gid, wait }) {
  const body = {
    gid,
    trans_type: "msg",
    steps: [{ action: `${service}/a1` }, { action: `${service}/a2` }],
    payloads: [PAYLOAD, PAYLOAD],
    query_prepared: `${service}/query`,
    wait_result: wait,
  };
  await post(coordinator, "prepare", body);
  return timedSubmit(coordinator, body);
}

async function tcc({ coordinator, participants, service, gid, wait }) {
  const body = { gid, trans_type: "tcc", wait_result: wait };
  await post(coordinator, "prepare", body);
  for (const branch of ["01", "02"]) {
    const urls = { confirm: `${service}/confirm${branch}`, cancel: `${service}/cancel${branch}` };
    await post(coordinator, "registerBranch", { gid, branch_id: branch, trans_type: "tcc", data: PAYLOAD, ...urls });
    const answer = await participants.post(`/try${branch}?gid=${gid}&branch_id=${branch}&op=try&trans_type=tcc`, PAYLOAD);
    expectOk(answer, "try");
  }
  return timedSubmit(coordinator, body);
}

/** `calls`: how often the coordinator calls a service for one transaction that goes well. `tries`: calls by the client itself. */
export const PATTERNS = {
  saga: { run: saga, calls: 2, tries: 0 },
  msg: { run: msg, calls: 2, tries: 0 },
  tcc: { run: tcc, calls: 2, tries: 2 },
};
