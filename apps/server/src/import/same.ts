/**
 * Is what the store has under a gid the transaction that lies in dtm's Redis, or what became of it since? A repeated import passes over
 * those; it never overwrites. When dtm came further than what is stored, both were at work, and somebody has to look.
 */
import type { Branch, GlobalStatus, Loaded, Transaction } from "../engine/transaction.js";
import { optionsToJson } from "../stores/options.js";

/** What a transaction can still become, itself included. */
const LATER: Readonly<Record<GlobalStatus, readonly GlobalStatus[]>> = {
  prepared: ["prepared", "submitted", "aborting", "succeed", "failed"],
  submitted: ["submitted", "aborting", "succeed", "failed"],
  aborting: ["aborting", "failed"],
  succeed: ["succeed"],
  failed: ["failed"],
};

/** Null when they are the same; else what differs, in words. */
export function difference(found: Loaded, stored: Loaded): string | null {
  return differingTransaction(found.transaction, stored.transaction) ?? differingBranches(found.branches, stored.branches);
}

function differingTransaction(found: Transaction, stored: Transaction): string | null {
  if (found.type !== stored.type) return `type is ${found.type} in Redis, ${stored.type} in the store`;
  // The submit may have been ours.
  const asked = found.status === "prepared" && stored.status !== "prepared";
  const pairs: readonly (readonly [string, string, string])[] = [
    ["protocol", found.protocol, stored.protocol],
    ["query_prepared", found.queryPrepared, stored.queryPrepared],
    ["create_time", wholeSeconds(found.createTime), wholeSeconds(stored.createTime)],
    ["an option", asked ? "" : optionsText(found), asked ? "" : optionsText(stored)],
    ["custom_data", asked ? "" : found.customData, asked ? "" : stored.customData],
  ];
  const pair = pairs.find(([, here, there]) => here !== there);
  if (pair !== undefined) return `${pair[0]} differs`;
  if (!LATER[found.status].includes(stored.status)) return `it is ${found.status} in Redis, ${stored.status} in the store`;
  return null;
}

function differingBranches(found: readonly Branch[], stored: readonly Branch[]): string | null {
  for (const [place, branch] of found.entries()) {
    const other = stored[place];
    const name = `branch ${branch.branchId} ${branch.op}`;
    if (other === undefined || other.branchId !== branch.branchId || other.op !== branch.op) return `${name} is not in the store`;
    if (other.url !== branch.url) return `the url of ${name} differs`;
    if (Buffer.compare(branch.payload, other.payload) !== 0) return `the payload of ${name} differs`;
    if (branch.status !== "prepared" && branch.status !== other.status)
      return `${name} is ${branch.status} in Redis, ${other.status} in the store`;
  }
  return null;
}

/** SQL stores keep whole seconds, rounded up (R19). */
function wholeSeconds(millis: number): string {
  return String(Math.ceil(millis / 1000));
}

function optionsText({ options }: Transaction): string {
  const headers = Object.entries(options.branchHeaders).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${optionsToJson({ ...options, branchHeaders: {} })}${JSON.stringify(headers)}`;
}
