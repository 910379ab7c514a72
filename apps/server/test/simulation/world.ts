/** One seeded world: a store, some nodes, services and clients, a few faults, and what must hold whatever happens (R31). */

import { DEFAULT_RULES, type DestinationRules } from "../../src/engine/destinations.js";
import { Refusal } from "../../src/engine/refusal.js";
import {
  DEFAULT_ENGINE_SETTINGS,
  DEFAULT_TYPE_SETTINGS,
  type EngineSettings,
  type TypeSettings,
} from "../../src/engine/settings.js";
import { isFinal, type Loaded, type TransactionType } from "../../src/engine/transaction.js";
import { settle, VirtualClock } from "../../src/engine/virtual-clock.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import { type Heard, runClient, type Story } from "./clients.js";
import { judgeEnd } from "./invariants.js";
import { Node, type WriteFault } from "./node.js";
import { Random } from "./random.js";
import type { Fault, Report } from "./report.js";
import { Services } from "./services.js";

const TYPES: readonly TransactionType[] = ["saga", "saga", "tcc", "xa", "msg", "workflow"];
const SHARED = ["do/0", "do/0", "do/1", "undo/0", "callback", "phase2/01"];
const EARLY: DestinationRules = { ...DEFAULT_RULES, errorsToOpen: 2, transactionsToOpen: 1 };
const FAULT_WINDOW = 14_000;
/** After the last fault everything ends within this. */
const BOUND = 15 * 60_000;
/** A nudge is followed by a call within this: the call in flight, its answer, a claim. */
const NUDGE_BOUND = 12_000;

type PlannedFault = WriteFault | "lease loss" | "clock jump" | "operator action" | "nudge" | "graceful stop" | "crash";
const PLANNED: readonly PlannedFault[] = [
  "crash before write",
  "crash after write",
  "unknown commit, applied",
  "unknown commit, applied later",
  "unknown commit, not applied",
  "lease loss",
  "clock jump",
  "operator action",
  "nudge",
  "graceful stop",
  "crash",
];

export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly services: Services;
  readonly stories = new Map<string, Story>();
  /** Participants keep a barrier; otherwise they are naive but idempotent. */
  readonly barriered: boolean;
  healed = false;
  readonly #store: MemoryStore;
  readonly #nodes: Node[] = [];
  readonly #settings: EngineSettings;
  /** Its transactions share their destinations, one of which is down for a while, and a breaker opens early: R13's own rules need more of them. */
  readonly shares: boolean;
  readonly #outage: { readonly destination: string; readonly until: number };
  readonly #finals = new Map<string, string>();
  readonly #settled = new Map<string, string>();
  readonly #turned = new Set<string>();
  readonly #watched = new Map<string, number>();
  #names = 0;
  #jumped = false;
  #networkFaults: number;
  #clientsLeft = 0;
  #violation: string | null = null;

  constructor(
    readonly seed: number,
    private readonly report: Report,
  ) {
    this.random = new Random(seed);
    this.barriered = this.random.chance(0.6);
    this.#networkFaults = this.random.chance(0.5) ? 1 : 0;
    this.#store = new MemoryStore({ now: () => this.clock.now(), shared: true });
    this.#settings = this.#makeSettings();
    this.shares = this.random.chance(0.35);
    this.#outage = { destination: this.random.pick(SHARED), until: this.clock.now() + this.random.between(2_000, 12_000) };
    this.services = new Services(this);
  }

  async run(): Promise<void> {
    const { random } = this;
    const nodes = random.between(1, 3);
    for (let i = 0; i < nodes; i++) this.#boot();
    const stories = this.shares ? random.between(3, 5) : random.between(1, 3);
    for (let i = 0; i < stories; i++) this.#tell(`g${i}`);
    for (let i = random.below(4); i > 0; i--) this.#plan(random.pick(PLANNED));
    this.clock.after(FAULT_WINDOW, () => this.#heal());
    await this.#untilEnd();
    if (this.#violation === null) for (const message of judgeEnd(this)) this.violated(message);
    this.#count();
  }

  met(fault: Fault): void {
    this.report.faults[fault] = (this.report.faults[fault] ?? 0) + 1;
  }

  violated(message: string): void {
    this.#violation ??= message;
  }

  peek(gid: string): Loaded | null {
    return this.#store.peek(gid);
  }

  mayRefuse(gid: string): boolean {
    return this.stories.get(gid)?.type === "saga";
  }

  networkFault(fault: "lost request" | "lost reply", probability: number): boolean {
    if (this.healed || this.#networkFaults === 0 || !this.random.chance(probability * 2)) return false;
    this.met(fault);
    return true;
  }

  /** Without the gid where transactions share it (R12). */
  destinationOf(url: string): string {
    return this.shares ? url.slice(url.indexOf("/") + 1) : url;
  }

  isDown(url: string): boolean {
    const { destination, until } = this.#outage;
    return this.shares && !this.healed && this.clock.now() < until && this.destinationOf(url) === destination;
  }

  sleep(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(millis, resolve);
    });
  }

  /** A request to some node that seems alive; its reply may never come. */
  ask<T>(call: (node: Node) => Promise<T>): Promise<Heard> {
    const alive = this.#nodes.filter((node) => node.alive);
    if (alive.length === 0) return this.sleep(500).then(() => ({ kind: "unknown" }));
    const node = this.random.pick(alive);
    return new Promise((resolve) => {
      this.clock.after(12_000, () => resolve({ kind: "unknown" }));
      node.gate(() => {
        call(node).then(
          () => node.gate(() => resolve({ kind: "done" })),
          (cause: unknown) =>
            node.gate(() =>
              resolve(
                cause instanceof Refusal && cause.form.http !== 503 ? { kind: "refused", refusal: cause } : { kind: "unknown" },
              ),
            ),
        );
      });
    });
  }

  /** A call of this transaction went out. */
  called(gid: string): void {
    this.#watched.delete(gid);
    const story = this.stories.get(gid);
    if (this.healed && story?.type === "saga" && this.random.chance(0.2)) this.clock.after(1, () => void this.#nudge(gid));
  }

  judgeDelay(gid: string): void {
    const story = this.stories.get(gid);
    const submitted = this.peek(gid)?.transaction.submitTime;
    if (story === undefined || story.delaySeconds === 0 || this.#jumped || typeof submitted !== "number") return;
    if (this.clock.now() < submitted + story.delaySeconds * 1000) this.violated(`${gid} is delivered before its delay`);
  }

  /** The undo of a step runs only after the undo of every step that came after it and whose effect stands. */
  judgeUndoOrder(gid: string, branchId: string): void {
    const story = this.stories.get(gid);
    if (story === undefined) return;
    const step = Number(branchId) - 1;
    for (let other = 0; other < story.steps; other++) {
      const after = story.concurrent ? (story.orders[String(other)] ?? []).includes(step) : other > step;
      const state = this.services.state(gid, `0${other + 1}`);
      if (after && state.effect && !state.undone)
        this.violated(`${gid}: step ${branchId} is undone before 0${other + 1}, which came after it`);
    }
  }

  #makeSettings(): EngineSettings {
    const { random } = this;
    const type: TypeSettings = {
      ...DEFAULT_TYPE_SETTINGS,
      retryInterval: random.pick([2, 5, 20]),
      timeoutToFail: random.between(6, 20),
      retryMaxInterval: 40,
    };
    return {
      ...DEFAULT_ENGINE_SETTINGS,
      types: { saga: { ...type, timeoutToFail: 0 }, tcc: type, xa: type, msg: type, workflow: type },
      maxDriving: random.chance(0.1) ? 1 : 5_000,
      destinationLimit: random.chance(0.1) ? 1 : 256,
      graceMs: 2_000,
    };
  }

  #boot(): void {
    const node = new Node({
      name: `n${++this.#names}`,
      clock: this.clock,
      store: this.#store,
      random: this.random,
      settings: this.#settings,
      breaker: this.shares ? EARLY : DEFAULT_RULES,
      participants: (self) => this.services.participants(self),
      met: (fault) => this.met(fault),
      violated: (message) => this.violated(message),
      crashed: () => this.#restart(this.random.between(300, 8_000)),
      written: (gid) => this.#judgeWrite(gid),
    });
    this.#nodes.push(node);
    node.core.start().catch(() => this.#abandon(node));
  }

  /** A process whose start failed ends, and is started again by whoever watches over it. */
  #abandon(node: Node): void {
    if (node.alive) node.crash();
  }

  #restart(after: number): void {
    this.clock.after(after, () => {
      this.met("restart");
      this.#boot();
    });
  }

  #tell(gid: string): void {
    const { random } = this;
    const steps = random.between(1, 3);
    const concurrent = random.chance(0.5);
    const orders: Record<string, number[]> = {};
    for (let step = 1; step < steps; step++) if (random.chance(0.5)) orders[step] = [random.below(step)];
    const story: Story = {
      gid,
      type: random.pick(TYPES),
      steps,
      concurrent,
      orders,
      delaySeconds: 0,
      ackedPrepare: false,
      ackedSubmit: false,
      ackedAbort: false,
      registered: [],
      local: "open",
      forced: false,
    };
    this.stories.set(gid, story);
    this.#clientsLeft++;
    void runClient(this, story).finally(() => this.#clientsLeft--);
  }

  #plan(fault: PlannedFault): void {
    const { random, clock } = this;
    clock.after(random.between(0, FAULT_WINDOW - 1_000), () => {
      const node = random.pick(this.#nodes);
      const gid = random.pick([...this.stories.keys()]);
      if (!node.alive) return;
      switch (fault) {
        case "crash":
          return node.crash();
        case "lease loss":
          return this.#stall(node, 20);
        case "clock jump":
          this.met("clock jump");
          this.#jumped = true;
          return node.jump(random.between(-20_000, 20_000));
        case "operator action":
          return void this.#forceStop(gid);
        case "nudge":
          return void this.#nudge(gid);
        case "graceful stop":
          return void this.#stopGracefully(node);
        default:
          node.nextWrite = fault;
      }
    });
  }

  /** Stops a node in the middle of a drive, as a SIGSTOP does, and lets it go on at the worst moment: while another drives what it drove. */
  #stall(node: Node, tries: number): void {
    if (node.paused || !node.alive || this.healed) return;
    if (node.core.engine.driving === 0 && tries > 0) {
      this.clock.after(200, () => this.#stall(node, tries - 1));
      return;
    }
    this.met("lease loss");
    node.pause();
    const mine = `${node.core.engine.epoch}:`;
    const driven = [...this.stories.keys()].filter((gid) => this.peek(gid)?.transaction.owner.startsWith(mine));
    const until = this.clock.now() + 12_000;
    const look = (): void => {
      const taken = driven.some((gid) => {
        const owner = this.peek(gid)?.transaction.owner ?? "";
        return owner !== "" && !owner.startsWith(mine);
      });
      if (taken || this.clock.now() >= until) this.clock.after(taken ? this.random.between(0, 50) : 0, () => node.resume());
      else this.clock.after(25, look);
    };
    this.clock.after(4_500, look);
  }

  async #forceStop(gid: string): Promise<void> {
    const story = this.stories.get(gid);
    if (story === undefined || this.peek(gid) === null) return;
    this.met("operator action");
    story.forced = true;
    await this.ask((node) => node.core.coordinator.forceStop(gid, "the operator said so"));
  }

  async #nudge(gid: string): Promise<void> {
    if (this.peek(gid) === null || this.#watched.has(gid)) return;
    this.met("nudge");
    const at = this.clock.now();
    this.#watched.set(gid, at);
    const heard = await this.ask((node) => node.core.coordinator.resetNextCronTime(gid));
    // Judged in quiet times only, and for sagas, which always have something to call.
    if (!this.healed || heard.kind !== "done" || this.stories.get(gid)?.type !== "saga") {
      this.#watched.delete(gid);
      return;
    }
    this.clock.after(NUDGE_BOUND, () => {
      if (this.#watched.get(gid) !== at) return;
      this.#watched.delete(gid);
      if (!isFinal(this.peek(gid)?.transaction.status ?? "failed"))
        this.violated(`${gid} was nudged, and nothing called for it in ${NUDGE_BOUND} ms`);
    });
  }

  async #stopGracefully(node: Node): Promise<void> {
    this.met("graceful stop");
    const grace = new AbortController();
    this.clock.after(this.#settings.graceMs, () => node.gate(() => grace.abort()));
    await node.core.stop(grace.signal).catch(() => undefined);
    node.crash();
  }

  #heal(): void {
    this.healed = true;
    for (const node of this.#nodes) {
      node.nextWrite = null;
      // First the clock: what it held meanwhile is asked for in quiet times, and judged so.
      node.unskew();
      if (node.paused) node.resume();
    }
  }

  /** What is final stays as it is, and a settled branch is never overwritten. */
  #judgeWrite(gid: string): void {
    const loaded = this.peek(gid);
    if (loaded === null) return;
    const { status } = loaded.transaction;
    const story = this.stories.get(gid);
    const before = this.#finals.get(gid);
    if (before !== undefined && before !== status) this.violated(`${gid} was ${before} and became ${status}`);
    if (isFinal(status)) this.#finals.set(gid, status);
    for (const branch of loaded.branches) {
      const key = `${gid}/${branch.branchId}/${branch.op}`;
      const settled = this.#settled.get(key);
      if (settled !== undefined && settled !== branch.status) this.violated(`${key} was ${settled} and became ${branch.status}`);
      if (branch.status === "prepared") continue;
      if (settled === undefined && story?.type === "saga" && branch.op === "action" && this.#turned.has(gid)) {
        this.violated(`${key} settled as ${branch.status} after its saga had turned`);
      }
      this.#settled.set(key, branch.status);
    }
    if (status === "aborting") this.#turned.add(gid);
  }

  async #untilEnd(): Promise<void> {
    const end = this.clock.now() + FAULT_WINDOW + BOUND;
    await settle();
    while (this.#violation === null && !this.#ended()) {
      if (!this.clock.fireNext() || this.clock.now() > end) {
        const open = [...this.stories.keys()].filter((gid) => !isFinal(this.peek(gid)?.transaction.status ?? "failed"));
        const rows = open.map((gid) => {
          const row = this.peek(gid)?.transaction;
          return `${gid} ${row?.type} ${row?.status} owner '${row?.owner}' due in ${(row?.nextCronTime ?? 0) - this.clock.now()} ms`;
        });
        return this.violated(`not ended in time: ${rows.join("; ")}`);
      }
      await settle();
    }
  }

  #ended(): boolean {
    if (!this.healed || this.#clientsLeft > 0) return false;
    for (const gid of this.stories.keys()) {
      const status = this.peek(gid)?.transaction.status;
      if (status !== undefined && !isFinal(status)) return false;
    }
    return true;
  }

  #count(): void {
    this.report.worlds++;
    for (const { gid, type } of this.stories.values()) {
      const status = this.peek(gid)?.transaction.status ?? "never stored";
      const end = `${type} ${status}`;
      this.report.ends[end] = (this.report.ends[end] ?? 0) + 1;
    }
    if (this.#violation !== null) this.report.violations.push({ seed: this.seed, message: this.#violation });
  }
}
