/** Tells what happens in a story, line by line: what changed in the store, calls, alerts, and what callers heard. */
import type { AlertEvent } from "../../src/engine/drive.js";
import type { Loaded, Millis, Transaction } from "../../src/engine/transaction.js";
import { isFinal } from "../../src/engine/transaction.js";
import { NOTICE } from "../../src/engine/waiting.js";
import type { Call } from "../kit/scripted-participants.js";
import { showOutcome } from "./reply.js";

export interface TranscriptParts {
  readonly now: () => Millis;
  readonly peek: (gid: string) => Loaded | null;
  /** Whether lines say which node: a story of one node need not. */
  readonly named: boolean;
}

export class Transcript {
  readonly #began: Millis;
  #saidAt: Millis;
  #lines: string[] = [];
  readonly #known = new Map<string, Loaded>();
  readonly #hidden = new Set<string>();

  constructor(private readonly parts: TranscriptParts) {
    this.#began = parts.now();
    this.#saidAt = this.#began;
  }

  /** The lines since the last call. */
  take(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines.length === 0 ? ["(nothing)"] : lines;
  }

  hide(gid: string, hidden: boolean): void {
    if (hidden) this.#hidden.add(gid);
    else this.#hidden.delete(gid);
  }

  say(line: string): void {
    const now = this.parts.now();
    if (now !== this.#saidAt) this.#lines.push(`@${seconds(now - this.#began)}`);
    this.#saidAt = now;
    this.#lines.push(line.replaceAll(NOTICE, "(notice) ").replaceAll("\n", " / "));
  }

  heard(label: string, gid: string, answer: string): void {
    if (!this.#hidden.has(gid)) this.say(`> ${label}: ${answer}`);
  }

  called(node: string, call: Call): void {
    const { gid, url, outcome } = call;
    this.#tell(node, gid, outcome === null ? `calls ${url} …` : `calls ${url}: ${showOutcome(outcome)}`);
  }

  answered(node: string, { gid, url, outcome }: Call, alive: boolean): void {
    const answer = outcome === null ? "nothing" : showOutcome(outcome);
    this.#tell(node, gid, `${alive ? "hears" : "is dead and doesn't hear"} ${url}: ${answer}`);
  }

  alerted(node: string, { gid, branch, retryCount, error }: AlertEvent): void {
    this.#tell(node, gid, `alert: ${branch} failed ${retryCount} times, ${error}`);
  }

  /** What a write changed, of every transaction that it may have touched. */
  written(node: string, args: readonly unknown[]): void {
    for (const gid of new Set([...this.#known.keys(), ...args.flatMap(gidOf)])) {
      const before = this.#known.get(gid) ?? null;
      const after = this.parts.peek(gid);
      if (after === null || after === before) continue;
      this.#known.set(gid, after);
      for (const line of this.#changes(before, after)) this.#tell(node, gid, line);
    }
  }

  show(gid: string): void {
    const loaded = this.parts.peek(gid);
    if (loaded === null) return this.say(`= ${gid} is not stored`);
    const { transaction, branches } = loaded;
    const { status, attempts, refusals, owner, rollbackReason, result } = transaction;
    const facts = [
      status,
      ...(rollbackReason === "" ? [] : [`(${rollbackReason})`]),
      ...(result === "" ? [] : [`result ${result}`]),
      ...branches.map((branch) => `[${branch.branchId} ${branch.op} ${branch.status}]`),
      ...(attempts === 0 ? [] : [`attempts ${attempts}`]),
      ...(refusals === 0 ? [] : [`refusals ${refusals}`]),
      ...(isFinal(status) ? [] : [owner === "" ? this.#rest(transaction) : `driven by ${nodeOf(owner)}`]),
    ];
    this.say(`= ${gid} ${facts.join(" ")}`);
  }

  #changes(before: Loaded | null, after: Loaded): string[] {
    const { transaction } = after;
    const settled = this.#settled(before, after);
    if (before === null) {
      const rows = after.branches.length === 0 ? "" : ` with ${count(after.branches.length, "row")}`;
      return [`created ${transaction.status}${rows}${transaction.owner === "" ? `, ${this.#rest(transaction)}` : ""}`];
    }
    const was = before.transaction;
    const added = after.branches.slice(before.branches.length).map((branch) => `${branch.branchId} ${branch.op}`);
    const lines = added.length === 0 ? [] : [`registered ${added.join(", ")}`];
    const stored = settled.length === 0 ? "" : `, stored ${settled.join(", ")}`;
    if (was.status !== transaction.status) return [...lines, `${this.#move(was, transaction)}${stored}`];
    if (was.owner !== transaction.owner) return [...lines, ...this.#handed(was, transaction, stored)];
    if (stored !== "") lines.push(stored.slice(2));
    if (was.wake !== transaction.wake) lines.push(this.#woken(transaction));
    else if (added.length === 0 && stored === "" && was.nextCronTime !== transaction.nextCronTime) lines.push("times touched");
    return lines;
  }

  #move(was: Transaction, transaction: Transaction): string {
    const { status, owner, rollbackReason, wake } = transaction;
    const reason = rollbackReason === was.rollbackReason ? "" : ` (${rollbackReason})`;
    const resting = isFinal(status) || owner !== "" ? "" : `, ${this.#rest(transaction)}`;
    return `${was.status} -> ${status}${reason}${resting}${wake === was.wake ? "" : ", its driver is told"}`;
  }

  /** A claim of what rests goes without saying; taking over from a dead node doesn't. */
  #handed(was: Transaction, transaction: Transaction, stored: string): string[] {
    if (transaction.owner === "") return [`${this.#rest(transaction)}${stored}`];
    if (was.owner === "" || nodeOf(was.owner) === nodeOf(transaction.owner)) return stored === "" ? [] : [stored.slice(2)];
    return [`taken over by ${nodeOf(transaction.owner)} from ${nodeOf(was.owner)}${stored}`];
  }

  #woken({ owner }: Transaction): string {
    return owner === "" ? "due now" : `nudged, its driver ${nodeOf(owner)} is told`;
  }

  #rest({ nextCronTime, attempts, refusals, waitingOn }: Transaction): string {
    const at = nextCronTime <= this.parts.now() ? "due now" : `rests until @${seconds(nextCronTime - this.#began)}`;
    const facts = [
      ...(attempts === 0 ? [] : [`attempts ${attempts}`]),
      ...(refusals === 0 ? [] : [`refusals ${refusals}`]),
      ...(waitingOn === "" ? [] : [`waits for ${waitingOn}`]),
    ];
    return facts.length === 0 ? at : `${at} (${facts.join(", ")})`;
  }

  #settled(before: Loaded | null, after: Loaded): string[] {
    return after.branches.flatMap(({ branchId, op, status }, place) =>
      before?.branches[place] === undefined || before.branches[place].status === status ? [] : [`${branchId} ${op} ${status}`],
    );
  }

  #tell(node: string, gid: string, line: string): void {
    if (!this.#hidden.has(gid)) this.say(`${this.parts.named ? `${node} ` : ""}${gid} ${line}`);
  }
}

/** `n1.2:7` is the seventh claim of the second process of n1. */
function nodeOf(owner: string): string {
  return owner.slice(0, owner.lastIndexOf(":"));
}

function seconds(millis: Millis): string {
  return `${millis / 1000}s`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function gidOf(argument: unknown): string[] {
  if (typeof argument !== "object" || argument === null || !("transaction" in argument)) return [];
  const { transaction } = argument;
  if (typeof transaction !== "object" || transaction === null || !("gid" in transaction)) return [];
  return typeof transaction.gid === "string" ? [transaction.gid] : [];
}
