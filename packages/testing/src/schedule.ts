/** What goes wrong in one run, and where: the text of a schedule is the seed that replays it. */
import { DtmError } from "@dtm/protocol";

/** What can happen to a message. */
export const FAULTS = {
  refuse: "the branch refuses (409), and its handler isn't called",
  "crash-before": "whoever should act dies before it acts",
  "crash-after": "whoever should act dies after it acted, before its answer is out",
  "crash-answered": "whoever acted dies as soon as its answer is out: what it didn't wait for never happens",
  "lost-request": "the request is lost, and the caller runs into its timeout",
  "lost-reply": "the request is carried out, the reply is lost, and the caller runs into its timeout",
  duplicate: "the request arrives twice",
  late: "the caller runs into its timeout, and the request arrives half a minute later",
  reordered: "the caller runs into its timeout, and the request arrives behind the next call of the same branch or transaction",
  "restart-before": "the coordinator dies before the message, and is started again",
  "restart-after": "the coordinator dies after the message was acted upon and before it knows, and is started again",
} as const;

/** What can go wrong with one message or step: a key of {@link FAULTS}. */
export type FaultKind = keyof typeof FAULTS;

/** A message or a step that a fault can meet. */
export type PointKind = "branch" | "request" | "io";

export interface Point {
  readonly kind: PointKind;
  /** Its name, as in `g1/01.action#2`: the second delivery of that call. */
  readonly name: string;
  /** Only these may be refused for good: `action` and `try`, unless they have succeeded before (R9). */
  readonly refusable: boolean;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly at: string;
}

export type Schedule = readonly Fault[];

/** Names of points contain spaces, and never a plus. */
const AND = " + ";

export function toSeed(schedule: Schedule): string {
  return schedule.map(({ kind, at }) => `${kind}@${at}`).join(AND);
}

/** @throws DtmError OPTION_INVALID for a text that no run printed. */
export function fromSeed(seed: string): Schedule {
  return seed
    .split(AND)
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("@");
      const kind = part.slice(0, at);
      if (at < 1 || !isFaultKind(kind)) {
        throw new DtmError("OPTION_INVALID", `seed: expected parts like "late@g1/01.action#1", found ${JSON.stringify(part)}`);
      }
      return { kind, at: part.slice(at + 1) };
    });
}

function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(FAULTS, text);
}

const OF_BRANCH: readonly FaultKind[] = [
  "crash-before",
  "crash-after",
  "crash-answered",
  "lost-request",
  "lost-reply",
  "duplicate",
  "late",
  "reordered",
  "restart-before",
  "restart-after",
];
const OF_REQUEST: readonly FaultKind[] = [
  "crash-before",
  "crash-after",
  "lost-request",
  "lost-reply",
  "duplicate",
  "late",
  "reordered",
  "restart-before",
  "restart-after",
];
const OF_IO: readonly FaultKind[] = ["crash-before", "crash-after"];

/** Every fault that the point can meet, the plainest first. */
export function faultsAt({ kind, name, refusable }: Point): readonly Fault[] {
  const kinds = kind === "branch" ? OF_BRANCH : kind === "request" ? OF_REQUEST : OF_IO;
  return [...(refusable ? (["refuse"] as const) : []), ...kinds].map((fault) => ({ kind: fault, at: name }));
}

/** Meets the faults of one run at their points, and notes every point that it passed. */
export class Faults {
  readonly points: Point[] = [];
  /** Those of the schedule that were met. */
  readonly met = new Set<string>();
  readonly #schedule: ReadonlyMap<string, FaultKind>;
  readonly #counts = new Map<string, number>();

  constructor(schedule: Schedule) {
    this.#schedule = new Map(schedule.map(({ at, kind }) => [at, kind]));
  }

  /** The point's full name, with which time it is passed, and what happens there. */
  pass(kind: PointKind, label: string, refusable = false): { readonly name: string; readonly fault: FaultKind | null } {
    const count = (this.#counts.get(label) ?? 0) + 1;
    this.#counts.set(label, count);
    const name = `${label}#${count}`;
    this.points.push({ kind, name, refusable });
    const meant = this.#schedule.get(name) ?? null;
    const fault = meant === "refuse" && !refusable ? null : meant;
    if (fault !== null) this.met.add(name);
    return { name, fault };
  }
}
