/**
 * Which zone the times in the tables were written in, if it is surely another one than ours. Of what we write each due time is there twice:
 * as a wall clock's text, which dtm needs, and in milliseconds. A node that reads the text in another zone has everything hours too early
 * or too late (R19). dtm moves the text alone, so one row tells nothing, and whatever doesn't fit lets the server start.
 */
import type { WrittenDue } from "./sql/last-dues.js";
import type { Zone } from "./zone.js";

const LEAST = 2;
const QUARTER_S = 900;
const FARTHEST_S = 14 * 3_600;

/** How many seconds it is ahead of Greenwich; null: it is ours, or it can't be told. */
export function otherZone(dues: readonly WrittenDue[], zone: Zone): number | null {
  const offsets = new Set(dues.map(({ nextCronTime, dueAt }) => secondsEast(nextCronTime, dueAt)));
  const [offset = 0, ...more] = offsets;
  const isOne = more.length === 0 && offset % QUARTER_S === 0 && Math.abs(offset) <= FARTHEST_S;
  const moments = new Set(dues.map(({ dueAt }) => Math.ceil(dueAt / 1000)));
  if (!isOne || moments.size < LEAST) return null;
  return dues.some((due) => isOurs(due, zone) || mayBeMovedByDtm(due, zone)) ? null : offset;
}

/** NaN for what is no time. */
function secondsEast(text: string, at: number): number {
  return Date.parse(`${text.replace(" ", "T")}Z`) / 1000 - Math.ceil(at / 1000);
}

/** Compared as text: when clocks are set back, two moments have the same one. */
function isOurs({ nextCronTime, dueAt }: WrittenDue, zone: Zone): boolean {
  return zone.toText(dueAt) === nextCronTime;
}

/** It leaves an owner without a colon (R1), or took the row as soon as it was due and moved it by its interval. */
function mayBeMovedByDtm({ nextCronTime, dueAt, owner, intervalSeconds }: WrittenDue, zone: Zone): boolean {
  const movedBy = secondsEast(nextCronTime, dueAt) - zone.secondsEast(dueAt);
  return (owner !== "" && !owner.includes(":")) || movedBy === intervalSeconds;
}
