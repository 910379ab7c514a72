/**
 * The usual end of a wave's operations in few statements: what nearly always holds (a new gid is free, a registering transaction is
 * prepared, a driver has its lease) is assumed in the statement's own condition, and its count tells whether it held. Where it didn't,
 * `Overtaken` ends the attempt, nothing of it is kept, and the batch runs again in batch.ts, which looks before it writes.
 */
import { type Branch, isFinal, type Loaded } from "../../engine/transaction.js";
import { isLikelyPrepared } from "../likely-prepared.js";
import type { AnswerOf } from "./batch.js";
import type { GidOperation, OfKind } from "./operation.js";
import type { FinalMove, GidResult, QuickWork, Statements } from "./statements.js";

/** An assumption didn't hold, for one operation at least. */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}

type Sorted = {
  readonly created: OfKind<"create" | "submit">[];
  readonly registering: OfKind<"register">[];
  readonly submitting: OfKind<"submit">[];
  readonly ending: OfKind<"move">[];
  readonly others: GidOperation[];
};

/** Answers what it can, and returns the other operations. No gid occurs twice among them. */
export async function runQuick(
  sql: Statements,
  operations: readonly GidOperation[],
  answers: AnswerOf,
): Promise<readonly GidOperation[]> {
  const sorted = sort(operations);
  const { created, registering, submitting, ending, others } = sorted;
  if (others.length === operations.length) return operations;
  const submitted = await sql.quick(workOf(sorted));
  for (const operation of created) answers.set(operation, { kind: "created" });
  for (const operation of registering) answers.set(operation, "registered");
  for (const operation of ending) answers.set(operation, { kind: "moved", branches: null });
  for (const operation of submitting) {
    const loaded = submitted.get(operation.gid);
    if (loaded === undefined) others.push(operation);
    else answers.set(operation, { kind: "moved", loaded, leased: isLeasedTo(loaded, operation.loaded.transaction.owner) });
  }
  return others;
}

function sort(operations: readonly GidOperation[]): Sorted {
  const sorted: Sorted = { created: [], registering: [], submitting: [], ending: [], others: [] };
  for (const operation of operations) {
    if (operation.kind === "create") sorted.created.push(operation);
    else if (operation.kind === "submit") {
      (isLikelyPrepared(operation.loaded.transaction) ? sorted.submitting : sorted.created).push(operation);
    } else if (operation.kind === "register") sorted.registering.push(operation);
    else if (operation.kind === "move" && isPlainEnd(operation)) sorted.ending.push(operation);
    else sorted.others.push(operation);
  }
  return sorted;
}

/** From `prepared` the answer holds the branches, and a reason is only stored over none: both need a look. */
function isPlainEnd({ move }: OfKind<"move">): boolean {
  const { status, to, rollbackReason = "", nextCronTime = null } = move;
  return isFinal(to) && status !== "prepared" && !isFinal(status) && rollbackReason === "" && nextCronTime === null;
}

function workOf({ created, registering, submitting, ending }: Sorted): QuickWork {
  const branches: Branch[] = [];
  for (const { loaded } of created) branches.push(...loaded.branches);
  for (const registered of registering) branches.push(...registered.branches);
  return {
    created: created.map(({ loaded }) => loaded.transaction),
    registering: registering.map(({ gid }) => gid).sort(),
    branches,
    submitting: submitting.map(({ loaded }) => loaded.transaction).sort((a, b) => (a.gid < b.gid ? -1 : 1)),
    ending: ending.map(finalMove).sort((a, b) => (a.gid < b.gid ? -1 : 1)),
    results: ending.flatMap(resultsOf),
  };
}

function resultsOf({ gid, move }: OfKind<"move">): GidResult[] {
  return move.results.map(({ branchId, op, status, at }) => ({ gid, branchId, op, status, at }));
}

function finalMove({ gid, move }: OfKind<"move">): FinalMove {
  return { gid, owner: move.owner, from: move.status, to: move.to, at: move.at };
}

function isLeasedTo({ transaction }: Loaded, owner: string): boolean {
  return owner !== "" && transaction.owner === owner;
}
