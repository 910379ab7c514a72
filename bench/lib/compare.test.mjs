import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "./compare.mjs";

const run = (peer, perSecond, cpuMsEach, more = {}) => ({
  peer,
  pattern: "saga",
  mode: "wait",
  round: 1,
  perSecond,
  cpuMsEach,
  p50: 1,
  p99: 2,
  peakRssMb: 50,
  flushesEach: null,
  coresServer: 1,
  coresServices: 0.1,
  coresLoad: 0.1,
  coresOthers: 0.05,
  coresStolen: 0,
  errors: 0,
  notFinal: 0,
  durability: `full at ${peer}`,
  ...more,
});
const targets = { perSecond: [3, 8], cpu: [1, 0.25] };

test("medians are compared with the design's ratios", () => {
  const runs = [
    run("ours", 1000, 0.2),
    run("dtm", 250, 1),
    run("ours", 5000, 0.2),
    run("dtm", 250, 1),
    run("ours", 900, 0.2),
    run("dtm", 250, 1),
  ];
  const text = compare(runs, targets);
  assert.match(text, /finished per second +\| 1000 +\| 250 +\| 4 +\| must reached/);
  assert.match(text, /coordinator CPU each, ms +\| 0.2 +\| 1 +\| 0.2 +\| aim reached/);
  assert.match(text, /- ours: full at ours\n- dtm: full at dtm/);
});

test("a missed ratio and an unclean run are said", () => {
  const text = compare([run("ours", 200, 2), run("dtm", 100, 1, { errors: 3, firstError: "boom" })], targets);
  assert.match(text, /MISSED \(must 3, aim 8\)/);
  assert.match(text, /MISSED \(must < 1, aim 0.25\)/);
  assert.match(text, /Not clean: dtm round 1: 3 errors \(boom\)/);
});

test("one peer alone has figures and no ratio", () => {
  assert.match(compare([run("dtm", 250, 1)], targets), /finished per second +\| 250 +\| – /);
});

test("runs that shared the machine are marked", () => {
  assert.doesNotMatch(compare([run("dtm", 250, 1)], targets), /NOISY/);
  assert.match(compare([run("dtm", 250, 1, { coresStolen: 0.4 })], targets), /NOISY: in 1 of these runs/);
});
