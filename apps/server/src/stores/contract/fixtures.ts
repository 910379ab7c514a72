/** What the contract's tests store, and how they compare what comes back: ids and the kind of byte array are each store's own. */
import { randomUUID } from "node:crypto";
import { type Branch, type Loaded, NO_OPTIONS, type Transaction } from "../../engine/transaction.js";
import type { Store } from "../store.js";

/** A whole second, so that stores with dtm's columns keep it exactly (R19). */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
export const SECOND = 1000;

export function newGid(name = "g"): string {
  return `${name}-${randomUUID()}`;
}

export function transaction(overrides: Partial<Transaction> = {}): Transaction {
  const status = overrides.status ?? "submitted";
  return {
    id: 0,
    gid: newGid(),
    type: "saga",
    status,
    protocol: "http",
    queryPrepared: "",
    options: NO_OPTIONS,
    customData: "",
    createTime: NOW,
    updateTime: NOW,
    submitTime: status === "prepared" ? null : NOW,
    finishTime: null,
    rollbackTime: null,
    nextCronInterval: 10,
    nextCronTime: NOW + 10 * SECOND,
    owner: "",
    result: "",
    rollbackReason: "",
    attempts: 0,
    refusals: 0,
    wake: 0,
    waitingOn: "",
    ...overrides,
  };
}

export function branch(gid: string, branchId: string, op: string, overrides: Partial<Branch> = {}): Branch {
  return {
    id: 0,
    gid,
    branchId,
    op,
    url: `http://service/${branchId}/${op}`,
    payload: Buffer.from(JSON.stringify({ branchId, op })),
    status: "prepared",
    createTime: NOW,
    updateTime: NOW,
    finishTime: null,
    rollbackTime: null,
    ...overrides,
  };
}

/** Two steps with their compensations, as the engine makes them. */
export function saga(overrides: Partial<Transaction> = {}): Loaded {
  const global = transaction(overrides);
  const branches = ["01", "02"].flatMap((id) => [branch(global.gid, id, "compensate"), branch(global.gid, id, "action")]);
  return { transaction: global, branches };
}

/** A transaction that its client is still preparing; branches are registered one by one. */
export function tcc(overrides: Partial<Transaction> = {}): Loaded {
  return { transaction: transaction({ type: "tcc", status: "prepared", ...overrides }), branches: [] };
}

export function plainTransaction(stored: Transaction): object {
  return { ...stored, id: 0, options: { ...stored.options, branchHeaders: { ...stored.options.branchHeaders } } };
}

export function plainBranch(stored: Branch): object {
  return { ...stored, id: 0, payload: Buffer.from(stored.payload).toString("base64") };
}

export function plain(loaded: Loaded | null): object | null {
  if (loaded === null) return null;
  return { transaction: plainTransaction(loaded.transaction), branches: loaded.branches.map(plainBranch) };
}

/** What is stored now, comparable. */
export async function stored(store: Store, gid: string): Promise<object | null> {
  return plain(await store.find(gid));
}

export async function storedTransaction(store: Store, gid: string): Promise<Transaction> {
  const loaded = await store.find(gid);
  if (loaded === null) throw new Error(`${gid} is not stored`);
  return loaded.transaction;
}

export function gidsOf(found: readonly Loaded[]): string[] {
  return found.map((loaded) => loaded.transaction.gid);
}

export async function statuses(store: Store, gid: string): Promise<string[]> {
  const loaded = await store.find(gid);
  return (loaded?.branches ?? []).map((stored) => `${stored.branchId} ${stored.op} ${stored.status}`);
}
