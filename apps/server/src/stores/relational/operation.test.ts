import { branch, saga } from "../contract/fixtures.js";
import { weightOf } from "./operation.js";

test("written out, an operation makes at most four times its weight: a batch of 1 MiB fits into a packet of 4", () => {
  const given = saga({ queryPrepared: "ü".repeat(1_024), customData: "'".repeat(1_024) });
  const branches = ["01", "02", "03"].map((id) =>
    branch(given.transaction.gid, id, "action", { url: `http://s/?q=${"订".repeat(1_000)}`, payload: Buffer.alloc(100) }),
  );
  const texts = [given.transaction.queryPrepared, given.transaction.customData, ...branches.map(({ url }) => url)];
  // A quote is escaped, a payload's byte is two digits.
  const written = texts.reduce((sum, text) => sum + Math.max(2 * text.length, Buffer.byteLength(text)), 3 * 2 * 100);
  expect(4 * weightOf({ kind: "create", gid: given.transaction.gid, loaded: { ...given, branches } })).toBeGreaterThan(written);
});
