import assert from "node:assert/strict";
import { test } from "node:test";
import { selfTimes } from "./cpu-profile.mjs";

const frame = (functionName, url = "", lineNumber = -1) => ({ functionName, url, lineNumber });

test("own time is summed per function, idle time kept apart", () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(root)") },
      { id: 2, callFrame: frame("(idle)") },
      { id: 3, callFrame: frame("drive", "file:///x/apps/server/dist/engine/drive.js", 9) },
      { id: 4, callFrame: frame("drive", "file:///x/apps/server/dist/engine/drive.js", 9) },
      { id: 5, callFrame: frame("(garbage collector)") },
    ],
    samples: [3, 4, 2, 5, 3],
    timeDeltas: [1000, 2000, 5000, 500, 1000],
  };
  const { busyMs, idleMs, functions } = selfTimes(profile);
  assert.equal(busyMs, 4.5);
  assert.equal(idleMs, 5);
  assert.deepEqual(functions, [
    { name: "drive dist/engine/drive.js:10", ms: 4 },
    { name: "(garbage collector)", ms: 0.5 },
  ]);
});
