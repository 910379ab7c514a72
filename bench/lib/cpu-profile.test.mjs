import assert from "node:assert/strict";
import { test } from "node:test";
import { selfTimes } from "./cpu-profile.mjs";

const frame = (functionName, url = "", lineNumber = -1) => ({ functionName, url, lineNumber });

test("own time is summed per function; idle time and gaps are kept apart", () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(root)") },
      { id: 2, callFrame: frame("(idle)") },
      { id: 3, callFrame: frame("drive", "file:///x/apps/server/dist/engine/drive.js", 9) },
      { id: 4, callFrame: frame("drive", "file:///x/apps/server/dist/engine/drive.js", 9) },
      { id: 5, callFrame: frame("(garbage collector)") },
    ],
    samples: [3, 4, 2, 5, 3, 5],
    timeDeltas: [1000, 2000, 5000, 500, 1000, 900_000],
  };
  const { busyMs, idleMs, lostMs, functions } = selfTimes(profile);
  // The usual delta is 1500 µs, so of the last one 20 times that count.
  assert.equal(busyMs, 34.5);
  assert.equal(lostMs, 870);
  assert.equal(idleMs, 5);
  assert.deepEqual(functions, [
    { name: "(garbage collector)", ms: 30.5 },
    { name: "drive dist/engine/drive.js:10", ms: 4 },
  ]);
});
