import { saga } from "../../contract/fixtures.js";
import type { Query } from "../connection.js";
import { Zone } from "../zone.js";
import { replaceGlobals } from "./replace-globals.js";

test("no text of the JSON has an escape, which MariaDB 10.6.7 would store as it is", () => {
  const written: unknown[] = [];
  const db = { zone: new Zone(0), later: (_: string, values: unknown) => written.push(values) } as unknown as Query;
  const strange = 'a "quoted" \\ back\\slash,\na line, \u0000 and \u00e9';
  const { transaction } = saga();
  replaceGlobals(db, [
    {
      ...transaction,
      id: 1,
      options: { ...transaction.options, branchHeaders: { [strange]: strange } },
      customData: strange,
      owner: strange,
      result: strange,
      rollbackReason: strange,
      waitingOn: strange,
    },
  ]);
  expect(written).toEqual([[expect.stringMatching(/^\[\[1,"submitted",[^\\]*\]\]$/)]]);
});
