/** The main thread's side of a write: into rows when it is asked, into one message with its batch, out of it when it is answered. */
import type { Branch, Loaded } from "../../engine/transaction.js";
import { StoreRejected, StoreUnavailable } from "../store.js";
import { fromLoadedRows, toBranchRow, toGlobalRow } from "./rows.js";
import { type Answer, isFailure, Packer, type Word, type WriteOperation, type WriteReply } from "./wire.js";

/** An operation; those with branches bring their payloads, which `pack` lays out. */
export type Write = Exclude<WriteOperation, { readonly kind: "create" | "submit" | "register" }> | WriteWithBranches;

type WriteWithBranches = Extract<WriteOperation, { readonly kind: "create" | "submit" | "register" }> & {
  readonly payloads: readonly Uint8Array[];
};

export interface Answered {
  readonly word: Word;
  readonly rows: readonly Loaded[];
}

export function writeOf(kind: "create" | "submit", loaded: Loaded): Write;
export function writeOf(kind: "register", more: { readonly gid: string; readonly branches: readonly Branch[] }): Write;
export function writeOf(
  kind: "create" | "submit" | "register",
  what: Loaded | { gid: string; branches: readonly Branch[] },
): Write {
  const branches = { from: 0, rows: what.branches.map(toBranchRow) };
  const payloads = what.branches.map((branch) => branch.payload);
  if ("gid" in what) return { kind: "register", gid: what.gid, branches, payloads };
  const { transaction } = what;
  return {
    kind: kind === "submit" ? "submit" : "create",
    gid: transaction.gid,
    global: toGlobalRow(transaction),
    branches,
    payloads,
  };
}

/** Rough, in bytes: what a queue of these holds in memory (R7). */
export function weightOf(write: Write): number {
  if (!("payloads" in write)) return "results" in write ? 256 + 64 * write.results.length : 256;
  let bytes = 512;
  for (const payload of write.payloads) bytes += 256 + payload.length;
  return bytes;
}

export function pack(writes: readonly Write[]): { operations: readonly WriteOperation[]; bytes: Uint8Array } {
  const packer = new Packer();
  const operations = writes.map((write): WriteOperation => {
    if (!("payloads" in write)) return write;
    const { payloads, ...operation } = write;
    operation.branches.from = packer.add(payloads);
    return operation;
  });
  return { operations, bytes: packer.bytes() };
}

export function answered({ answers, bytes }: WriteReply): (Answered | Error)[] {
  return answers.map((answer) => {
    if (!isFailure(answer)) return toAnswered(answer, bytes);
    return answer.failed === "rejected" ? new StoreRejected(answer.message) : new StoreUnavailable(answer.message);
  });
}

const NO_ROWS: readonly Loaded[] = [];

function toAnswered([word, rows]: Answer, bytes: Uint8Array): Answered {
  return { word, rows: rows === undefined ? NO_ROWS : rows.map((row) => fromLoadedRows(row, bytes)) };
}
