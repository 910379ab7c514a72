/** What Redis would not give back as it was: half a surrogate pair becomes another character. A NUL separates parts of index entries (R7, R22). */
import type { Branch, Loaded } from "../../engine/transaction.js";
import { StoreRejected } from "../store.js";

const UNSTORABLE = /[\0\p{Surrogate}]/u;

export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

export function refuse(text: string, what: string): void {
  if (!isStorable(text))
    throw new StoreRejected(`${what} has a NUL or half a surrogate pair, which would not come back as it is`);
}

/** For texts that others wrote into an answer: a strange reason must not keep a transaction from turning. */
export function storable(text: string): string {
  return isStorable(text) ? text : text.replace(/[\0\p{Surrogate}]/gu, "\ufffd");
}

export function refuseNumbers(gid: string, numbers: readonly (number | null | undefined)[]): void {
  for (const value of numbers)
    if (value !== null && value !== undefined && !Number.isFinite(value))
      throw new StoreRejected(`a time or count of ${gid} is no number: ${value}`);
}

export function refuseLoaded({ transaction, branches }: Loaded): void {
  const { gid, queryPrepared, customData, waitingOn, owner, createTime, updateTime, nextCronTime, nextCronInterval } =
    transaction;
  refuse(gid, "the gid");
  refuse(queryPrepared, `query_prepared of ${gid}`);
  refuse(customData, `custom_data of ${gid}`);
  refuse(waitingOn, `waiting_on of ${gid}`);
  refuse(owner, `the owner of ${gid}`);
  refuseNumbers(gid, [createTime, updateTime, nextCronTime, nextCronInterval, transaction.attempts, transaction.refusals]);
  const seen = new Set<string>();
  for (const { branchId, op } of branches) {
    const key = `${branchId}\n${op}`;
    if (seen.has(key)) throw new StoreRejected(`${gid} has branch ${branchId} ${op} twice`);
    seen.add(key);
  }
  refuseBranches(gid, branches);
}

export function refuseBranches(gid: string, branches: readonly Branch[]): void {
  for (const { branchId, op, url } of branches) {
    refuse(branchId, `a branch_id of ${gid}`);
    refuse(op, `an op of ${gid}`);
    refuse(url, `a url of ${gid}`);
  }
}
