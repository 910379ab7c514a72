import { Berlin, SET_BACK, SET_FORWARD } from "../../../test/kit/berlin.js";
import { otherZone } from "./other-zone.js";
import type { WrittenDue } from "./sql/last-dues.js";
import { Zone } from "./zone.js";

const HOUR = 3_600_000;
const AT = Date.UTC(2026, 2, 28, 12, 0, 0, 250);
const utc = new Zone(0);

/** Due times of ours, as a node in that zone writes them. */
function written(zoneHours: number, ...times: readonly number[]): WrittenDue[] {
  return times.map((dueAt) => ({
    nextCronTime: new Zone(zoneHours).toText(dueAt),
    dueAt,
    owner: "",
    intervalSeconds: 10,
  }));
}

/** The same after dtm took the row and put it off. */
function moved(due: WrittenDue, bySeconds: number, intervalSeconds: number): WrittenDue {
  return { ...due, nextCronTime: utc.toText(due.dueAt + 1000 * bySeconds), intervalSeconds };
}

test.each([
  ["UTC+8", 8],
  ["UTC-5", -5],
  ["UTC+5:45", 5.75],
])("times of %s", (_, hours) => {
  expect(otherZone(written(hours, AT, AT + 1_500, AT + 40 * HOUR), utc)).toBe(hours * 3_600);
});

const [one, two] = [AT, AT + 7_000];

test.each<readonly [string, readonly WrittenDue[]]>([
  ["no row", []],
  ["rows of our own zone", written(0, one, two)],
  ["a single moment", written(8, one, one)],
  ["rows of two zones, so that nobody's are read right", [...written(8, one), ...written(0, two)]],
  ["clocks that were set forward between the two", [...written(1, one), ...written(2, two)]],
  ["a zone that there isn't", written(15, one, two)],
  ["what no clock says", written(0.1, one, two)],
  ["no time at all", written(8, one, two).map((due) => ({ ...due, nextCronTime: "0000-00-00 00:00:00" }))],
  ["dtm's owner on one", [...written(8, one), ...written(8, two).map((due) => ({ ...due, owner: "JvXB7vqGKGPHmxnzWWN6zN" }))]],
  ["rows that dtm took as soon as they were due", written(0, one, two).map((due) => moved(due, 3_600, 3_600))],
  ["rows that dtm took some time", written(0, one, two).map((due, place) => moved(due, 900 + 400 * place, 10))],
])("%s: it can't be told", (_, dues) => {
  expect(otherZone(dues, utc)).toBeNull();
});

describe("where clocks are set twice a year", () => {
  const own = (...times: readonly number[]): WrittenDue[] =>
    times.map((dueAt) => ({ nextCronTime: new Berlin().toText(dueAt), dueAt, owner: "", intervalSeconds: 10 }));

  test.each([
    ["forward", SET_FORWARD],
    ["back", SET_BACK],
  ])("what is due behind a change %s is right, and what is due in its hour", (_, change) => {
    for (const behind of [1_000, 30 * 60_000, HOUR, 24 * HOUR]) {
      expect(otherZone(own(change - HOUR, change - 1_000, change, change + behind), new Berlin())).toBeNull();
      expect(otherZone(own(change, change + behind), new Berlin())).toBeNull();
    }
  });

  test("a whole summer is another zone than that of winter", () => {
    expect(otherZone(own(SET_BACK - 2 * HOUR, SET_BACK - HOUR), new Zone(1))).toBe(7_200);
    expect(otherZone(own(SET_BACK - 2 * HOUR, SET_BACK - HOUR), new Zone(2))).toBeNull();
    expect(otherZone(written(0, SET_FORWARD - HOUR, SET_FORWARD + HOUR), new Berlin())).toBe(0);
  });
});
