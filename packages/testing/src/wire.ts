/**
 * The messages of one world and what goes wrong with them: calls of branches, whoever makes them, and requests to the coordinator. A
 * message takes a millisecond each way; one that is answered by nobody ends with its caller's timeout.
 */
import type { VirtualClock } from "@dtm/server/embedded";
import type { Activity } from "./activity.js";
import type { FaultKind, Faults, PointKind } from "./schedule.js";
import { type Wait, Worker } from "./worker.js";

const HOP_MS = 1;
const LATE_MS = 30_000;
const LONGEST_HELD_MS = 60_000;

/** What came of a message: its answer, or what its caller is told instead. */
export type Reply<A> = { readonly answer: A } | { readonly lost: string };

export interface Message<A> {
  readonly kind: Exclude<PointKind, "io">;
  /** As in `g1/01.action`, or `client submit g1`. */
  readonly label: string;
  readonly timeoutMs: number;
  /** Carries it out, as whoever receives it. */
  readonly act: (worker: Worker) => Promise<A>;
  /** For the trace. */
  readonly tell: (answer: A) => string;
  /** Of a branch that may refuse for good: its refusal, and whether it did what it was asked to. */
  readonly refusal?: { readonly answer: A; readonly isSuccess: (answer: A) => boolean };
  /** The branch (of a request: the transaction) and the operation: what is reordered waits for the next other operation there. */
  readonly place?: { readonly branch: string; readonly op: string };
  /** The coordinator itself sends it, and stops to when it dies. */
  readonly fromCoordinator: boolean;
  /** What its sender waits for, when a worker sends it. */
  readonly wait?: Wait;
}

export interface WireParts {
  readonly clock: VirtualClock;
  readonly activity: Activity;
  readonly faults: Faults;
  readonly restartCoordinator: () => void;
  readonly say: (line: string) => void;
}

interface Held {
  readonly branch: string;
  readonly op: string;
  readonly release: () => void;
}

export class Wire {
  /** Deliveries that are still to come. */
  pending = 0;
  readonly #held = new Set<Held>();
  /** Calls that succeeded once, and so may not be refused when they are repeated (R9). */
  readonly #succeeded = new Set<string>();

  constructor(private readonly parts: WireParts) {}

  send<A>(message: Message<A>): Promise<Reply<A>> {
    const { clock, activity, faults, say } = this.parts;
    const sender = activity.worker;
    const refusable = message.refusal !== undefined && !this.#succeeded.has(message.label);
    const { name, fault } = faults.pass(message.kind, message.label, refusable);
    say(fault === null ? name : `${name}  ⚡ ${fault}`);
    return new Promise((resolve) => {
      const end = (reply: Reply<A>): void => {
        cancel();
        resolve(reply);
      };
      const cancel = clock.after(message.timeoutMs, () => end({ lost: `no answer within ${message.timeoutMs} ms` }));
      this.#meet(message, name, fault, { end, sender });
    });
  }

  #meet<A>(
    message: Message<A>,
    name: string,
    fault: FaultKind | null,
    { end, sender }: { readonly end: (reply: Reply<A>) => void; readonly sender: Worker | undefined },
  ): void {
    const { activity, restartCoordinator } = this.parts;
    const dies = (): void => {
      // A call's receiver dies; a request's sender does, for the coordinator has faults of its own.
      if (message.kind === "request" && sender !== undefined) activity.kill(sender);
      else end({ lost: "connection reset" });
    };
    const deliver = (then: (reply: Reply<A>, worker: Worker) => void, delayMs = 0): void =>
      this.#deliver(message, name, delayMs, then);
    switch (fault) {
      case null:
        return deliver(end);
      case "refuse":
        return this.#after(HOP_MS, () => this.#refuse(message, name, end));
      case "crash-before":
        return this.#after(HOP_MS, dies);
      case "crash-after":
        return deliver((_, worker) => {
          activity.kill(worker);
          dies();
        });
      case "crash-answered":
        return deliver((reply, worker) => {
          activity.kill(worker);
          end(reply);
        });
      case "lost-request":
        return;
      case "lost-reply":
        return deliver(() => undefined);
      case "duplicate":
        deliver(end);
        return deliver(() => undefined, HOP_MS);
      case "late":
        return deliver(() => undefined, message.timeoutMs + LATE_MS);
      case "reordered":
        return this.#hold(message, () => deliver(() => undefined));
      case "restart-before":
        restartCoordinator();
        if (message.kind === "request") return end({ lost: "connection refused" });
        return message.fromCoordinator ? undefined : deliver(end);
      case "restart-after":
        return deliver((reply) => {
          restartCoordinator();
          if (message.kind === "request") end({ lost: "connection reset" });
          else if (!message.fromCoordinator) end(reply);
        });
      default:
        return fault satisfies never;
    }
  }

  #refuse<A>(message: Message<A>, name: string, end: (reply: Reply<A>) => void): void {
    if (message.refusal === undefined) return;
    const { answer } = message.refusal;
    this.parts.say(`${name}  ← ${message.tell(answer)}`);
    end({ answer });
    this.#answered(message);
  }

  #deliver<A>(message: Message<A>, name: string, delayMs: number, then: (reply: Reply<A>, worker: Worker) => void): void {
    const { say } = this.parts;
    const worker = new Worker(message.label);
    this.#after(HOP_MS + delayMs, () => {
      this.pending++;
      if (message.wait !== undefined) message.wait.acting++;
      let finished = false;
      const over = (reply: Reply<A>, line: string): void => {
        if (finished) return;
        finished = true;
        this.pending--;
        if (message.wait !== undefined) message.wait.acting--;
        say(`${name}  ← ${line}`);
        this.#after(HOP_MS, () => {
          then(reply, worker);
          this.#answered(message);
        });
      };
      message.act(worker).then(
        (answer) => {
          if (message.refusal?.isSuccess(answer)) this.#succeeded.add(message.label);
          over({ answer }, message.tell(answer));
        },
        (cause: unknown) => {
          const text = cause instanceof Error ? cause.message : String(cause);
          over({ lost: text }, text);
        },
      );
      void worker.died.then(() => over({ lost: "connection reset" }, "its process died"));
    });
  }

  #hold<A>({ place }: Message<A>, release: () => void): void {
    const held: Held = { branch: place?.branch ?? "", op: place?.op ?? "", release };
    this.#held.add(held);
    this.#after(LONGEST_HELD_MS, () => this.#release(held));
  }

  #answered<A>({ place }: Message<A>): void {
    if (place === undefined) return;
    for (const held of this.#held) if (held.branch === place.branch && held.op !== place.op) this.#release(held);
  }

  #release(held: Held): void {
    if (this.#held.delete(held)) held.release();
  }

  #after(ms: number, work: () => void): void {
    this.pending++;
    this.parts.clock.after(ms, () => {
      this.pending--;
      work();
    });
  }
}
