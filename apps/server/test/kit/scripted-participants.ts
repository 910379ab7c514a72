/** Services that answer as a test says, in virtual time, and remember what was asked of them. */
import type { Outcome } from "@dtm/protocol";
import type { VirtualClock } from "../../src/engine/virtual-clock.js";
import type { Invocation, Participants } from "../../src/participants/participant.js";

export interface Reply {
  readonly outcome: Outcome;
  /** Virtual time until the answer; beyond the request's timeout it is a timeout instead. Default 0. */
  readonly afterMs?: number;
}

export const REPLIES = {
  ok: { outcome: { kind: "success" } },
  refuse: { outcome: { kind: "failure", reason: "no stock" } },
  ongoing: { outcome: { kind: "ongoing", reason: "" } },
  error: { outcome: { kind: "unknown", message: "oops" } },
  /** Never answers: the caller's timeout ends it. */
  hang: { outcome: { kind: "success" }, afterMs: Number.POSITIVE_INFINITY },
} as const satisfies Record<string, Reply>;

export interface Call {
  readonly url: string;
  readonly op: string;
  readonly gid: string;
  readonly branchId: string;
  readonly invocation: Invocation;
  readonly at: number;
  /** Null while it is in flight. */
  outcome: Outcome | null;
  /** Ends a held call. */
  readonly answer: (outcome: Outcome) => void;
}

export class ScriptedParticipants implements Participants {
  readonly calls: Call[] = [];
  readonly #scripts = new Map<string, Reply[]>();
  readonly #held = new Set<string>();
  #most = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly heard: (call: Call) => void = () => undefined,
  ) {}

  /** Its next answers, one per call; the last one stays. Without a script a service succeeds. */
  script(url: string, ...replies: readonly Reply[]): void {
    this.#held.delete(url);
    this.#scripts.set(url, [...replies]);
  }

  /** Its calls stay in flight until the test answers them, or their timeout does. */
  hold(url: string): void {
    this.#held.add(url);
  }

  /** URLs called so far, in order. */
  get urls(): string[] {
    return this.calls.map(({ url }) => url);
  }

  get mostAtOnce(): number {
    return this.#most;
  }

  inFlight(url: string): Call {
    const call = this.calls.find((each) => each.url === url && each.outcome === null);
    if (call === undefined) throw new Error(`no call of ${url} is in flight; called so far: ${this.urls.join(" ")}`);
    return call;
  }

  destinationOf(invocation: Pick<Invocation, "url">): string {
    return invocation.url;
  }

  call(invocation: Invocation): Promise<Outcome> {
    return new Promise((resolve) => {
      const { url, op, gid, branchId, timeoutMs } = invocation;
      let cancel = (): void => undefined;
      const end = (outcome: Outcome): void => {
        if (call.outcome !== null) return;
        call.outcome = outcome;
        cancel();
        this.heard(call);
        resolve(outcome);
      };
      const call: Call = { url, op, gid, branchId, invocation, at: this.clock.now(), outcome: null, answer: end };
      this.calls.push(call);
      this.#most = Math.max(this.#most, this.calls.filter(({ outcome }) => outcome === null).length);
      const reply = this.#held.has(url) ? REPLIES.hang : this.#next(url);
      const afterMs = "afterMs" in reply ? (reply.afterMs ?? 0) : 0;
      if (afterMs === 0) return end(reply.outcome);
      const timeout: Outcome = { kind: "unknown", message: `timeout after ${timeoutMs} ms` };
      cancel = this.clock.after(Math.min(afterMs, timeoutMs), () => end(afterMs < timeoutMs ? reply.outcome : timeout));
    });
  }

  async close(): Promise<void> {}

  #next(url: string): Reply {
    const script = this.#scripts.get(url) ?? [];
    return (script.length > 1 ? script.shift() : script[0]) ?? REPLIES.ok;
  }
}
