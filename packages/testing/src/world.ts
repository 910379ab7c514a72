/**
 * One run: a coordinator, the application's services and its own code, a clock that moves only when all of them wait, and the faults of
 * one schedule. The same schedule gives the same trace.
 */
import type { RequestListener } from "node:http";
import type { Time } from "@dtm/client-core/internal";
import type { Exchange, HttpAnswer, HttpRequest } from "@dtm/client-http/internal";
import { BRANCH_KEYS, DtmError, type Outcome, outcomeFromHttp } from "@dtm/protocol";
import { Embedded, type EngineSettings, type Invocation, openStorage, VirtualClock } from "@dtm/server/embedded";
import { Activity, LOCK_PATIENCE_MS, PATIENCE_MS } from "./activity.js";
import { KitClient } from "./client.js";
import { seeded } from "./random.js";
import { Faults, type Schedule } from "./schedule.js";
import { type ServiceAnswer, Services } from "./services.js";
import { type Message, type Reply, Wire } from "./wire.js";
import { Wait, Worker } from "./worker.js";

/** Where clients of this world find the coordinator. */
export const COORDINATOR = "http://coordinator";
/** Of a trace. */
const LONGEST_LINE = 300;
const RESTART_MS = 1_000;
const IO_MS = 1;
const YEAR_MS = 365 * 86_400_000;
/** 2026-01-01, so that dates in a trace are the same everywhere. */
const BEGINNING = 1_767_225_600_000;
const REFUSED: ServiceAnswer = {
  status: 409,
  body: Buffer.from('{"dtm_result":"FAILURE","message":"refused by the test"}'),
  retryAfter: undefined,
};

export interface WorldOptions {
  readonly schedule: Schedule;
  /** Of the server. Default: its own. */
  readonly settings?: Partial<EngineSettings> | undefined;
  /** Real time. Default: ten seconds. */
  readonly longestHandlerMs?: number | undefined;
}

/** How a worker sends. */
interface Sending {
  readonly timeoutMs: number;
  readonly wait: Wait;
}

/** A transaction as the coordinator left it. */
export interface Ended {
  readonly gid: string;
  readonly type: string;
  readonly status: string;
}

export class World {
  readonly clock = new VirtualClock(BEGINNING);
  readonly activity: Activity;
  readonly services = new Services();
  readonly faults: Faults;
  readonly client: KitClient;
  readonly trace: string[] = [];
  readonly #storage = openStorage(() => this.clock.now());
  readonly #wire: Wire;
  readonly #aliases = new Map<string, string>();
  readonly #random = seeded(1);
  readonly #options: WorldOptions;
  #coordinator: Embedded | null = null;
  /** Called when the coordinator dies: whoever waits for its answer hears of it. */
  readonly #connections = new Set<() => void>();
  /** Each tells somebody who waits for time to pass that it can't. */
  readonly #waiting = new Set<(cause: unknown) => void>();
  #moving = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.activity = new Activity(options.longestHandlerMs);
    this.faults = new Faults(options.schedule);
    this.#wire = new Wire({
      clock: this.clock,
      activity: this.activity,
      faults: this.faults,
      restartCoordinator: () => this.restart(),
      say: (line) => this.#say(line),
    });
    const time: Time = {
      monotonic: () => this.clock.monotonic(),
      pause: (ms) => this.pause(ms),
      random: () => this.#random(),
    };
    this.client = new KitClient(COORDINATOR, this.#exchange, time);
  }

  async start(): Promise<void> {
    const coordinator = new Embedded({
      storage: this.#storage,
      clock: this.clock,
      participants: { call: (invocation) => this.#callBranch(invocation) },
      random: () => this.#random(),
      ...(this.#options.settings === undefined ? {} : { settings: this.#options.settings }),
    });
    this.#coordinator = coordinator;
    await coordinator.start();
  }

  serve(origin: string, listener: RequestListener): void {
    this.services.mount(origin, listener);
  }

  /** The coordinator's process dies, and another one starts a second later. */
  restart(): void {
    if (this.#coordinator === null) return;
    this.#say("the coordinator dies");
    this.#coordinator.crash();
    this.#coordinator = null;
    for (const reset of this.#connections) reset();
    this.#connections.clear();
    this.clock.after(RESTART_MS, () => {
      this.#say("the coordinator is back");
      this.activity.outside(() => void this.start());
    });
  }

  async stop(): Promise<void> {
    await this.#coordinator?.stop(AbortSignal.abort());
    this.#coordinator = null;
    this.activity.end();
  }

  /** Waits in virtual time. */
  pause(ms: number): Promise<void> {
    return this.hold(this.#after(ms));
  }

  /** A step of the application that a crash can come before or after: a write, a call to something else. */
  async io<T>(work: () => Promise<T> | T): Promise<T> {
    const { worker } = this.activity;
    const { name, fault } = await this.hold(this.#passIo(worker), new Wait(LOCK_PATIENCE_MS));
    if (fault !== null) this.#say(`${name}  ⚡ ${fault}`);
    if (fault === "crash-before" && worker !== undefined) return this.#dies(worker);
    const value = await work();
    if (fault === "crash-after" && worker !== undefined) return this.#dies(worker);
    return value;
  }

  /** Runs `work` as the application's own code, outside of any handler. */
  run<T>(work: () => Promise<T>): { readonly worker: Worker; readonly result: Promise<T> } {
    const worker = new Worker("client");
    return { worker, result: this.activity.run(worker, work) };
  }

  /**
   * Awaits what only virtual time brings, and lets time pass meanwhile.
   *
   * @throws Error when nothing more will ever happen, or a year has passed.
   */
  async hold<T>(promise: Promise<T>, wait?: Wait): Promise<T> {
    if (this.activity.worker !== undefined) return this.activity.waiting(promise, wait);
    let giveUp = (_cause: unknown): void => undefined;
    const given = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.#waiting.add(giveUp);
    if (!this.#moving) void this.#move();
    try {
      return await Promise.race([promise, given]);
    } finally {
      this.#waiting.delete(giveUp);
    }
  }

  /** Lets time pass while it has something to bring, but not beyond `until`. */
  async pass(until: number, done: () => boolean): Promise<boolean> {
    for (;;) {
      await this.activity.quiet(() => this.#comesBy(until));
      if (done()) return true;
      if (!this.#comesBy(until)) return false;
      this.clock.fireNext();
    }
  }

  /** Null when the coordinator has stored none with this gid. */
  statusOf(gid: string): string | null {
    return this.#storage.peek(gid)?.transaction.status ?? null;
  }

  /** How many transactions have not ended. */
  get unfinished(): number {
    return [...this.#aliases.keys()].filter((gid) => {
      const status = this.statusOf(gid);
      return status !== null && status !== "succeed" && status !== "failed";
    }).length;
  }

  get undelivered(): number {
    return this.#wire.pending;
  }

  /** Every transaction, in the order of their creation. */
  async transactions(): Promise<readonly Ended[]> {
    const { transactions } = await this.#storage.list({ limit: 1_000, position: "" });
    return transactions.map(({ gid, type, status }) => ({ gid: this.alias(gid), type, status })).reverse();
  }

  /** `g1` for the first gid that was seen, and so on: real ones are random, and a trace must be the same in every run. */
  alias(gid: string): string {
    const known = this.#aliases.get(gid);
    if (known !== undefined) return known;
    const made = `g${this.#aliases.size + 1}`;
    this.#aliases.set(gid, made);
    return made;
  }

  #comesBy(until: number): boolean {
    const next = this.clock.nextAt();
    return next !== null && next <= until;
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve));
  }

  async #passIo(worker: Worker | undefined): Promise<ReturnType<Faults["pass"]>> {
    await this.activity.turn();
    const passed = this.faults.pass("io", `${worker?.label ?? "client"} io`);
    await this.#after(IO_MS);
    return passed;
  }

  /** For all who wait, whoever was the first. */
  async #move(): Promise<void> {
    this.#moving = true;
    try {
      const alive = await this.pass(this.clock.now() + YEAR_MS, () => this.#waiting.size === 0);
      if (!alive) throw new Error("waited for something that will never happen: no timer is left, or a year has passed");
    } catch (cause) {
      for (const giveUp of this.#waiting) giveUp(cause);
    } finally {
      this.#moving = false;
    }
  }

  #dies(worker: Worker): Promise<never> {
    this.activity.kill(worker);
    return new Promise(() => undefined);
  }

  readonly #exchange: Exchange = (request, limits) => {
    const wait = new Wait(PATIENCE_MS);
    return this.hold(this.#send(request, { timeoutMs: limits.timeoutMs, wait }).then(toHttpAnswer), wait);
  };

  async #send(request: HttpRequest, limits: Sending): Promise<Reply<ServiceAnswer>> {
    await this.activity.turn();
    return new URL(request.url).origin === COORDINATOR ? this.#ask(request, limits) : this.#callFromClient(request, limits);
  }

  #ask(request: HttpRequest, { timeoutMs, wait }: Sending): Promise<Reply<ServiceAnswer>> {
    const { pathname, search } = new URL(request.url);
    const act = (): Promise<ServiceAnswer> => this.activity.outside(() => this.#handle(request, pathname + search));
    // Reading changes nothing, so there is nothing to go wrong but time.
    if (request.method === "GET") return act().then(toReply, toLost);
    const subject = this.#subject(request);
    const message: Message<ServiceAnswer> = {
      kind: "request",
      label: `client ${pathname.split("/").at(-1)}${subject}`,
      place: { branch: subject, op: pathname },
      timeoutMs,
      act,
      tell,
      fromCoordinator: false,
      wait,
    };
    return this.#wire.send(message);
  }

  #handle(request: HttpRequest, url: string): Promise<ServiceAnswer> {
    const coordinator = this.#coordinator;
    if (coordinator === null) return Promise.reject(new Error("connection refused"));
    const body = request.body === undefined ? {} : { body: Buffer.from(request.body) };
    return new Promise((resolve, reject) => {
      const reset = (): void => reject(new Error("connection reset"));
      this.#connections.add(reset);
      void coordinator.handle({ method: request.method, url, ...body }).then((answer) => {
        this.#connections.delete(reset);
        resolve({ status: answer.status, body: Buffer.from(answer.body), retryAfter: undefined });
      });
    });
  }

  /** What a request is about, for its name. */
  #subject({ body }: HttpRequest): string {
    const text = typeof body === "string" ? body : "";
    const sent: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof sent !== "object" || sent === null) return "";
    const gid: unknown = Reflect.get(sent, "gid");
    const branchId: unknown = Reflect.get(sent, "branch_id");
    return `${typeof gid === "string" ? ` ${this.alias(gid)}` : ""}${typeof branchId === "string" ? `/${branchId}` : ""}`;
  }

  #callFromClient(request: HttpRequest, { timeoutMs, wait }: Sending): Promise<Reply<ServiceAnswer>> {
    const query = new URL(request.url).searchParams;
    const gid = query.get(BRANCH_KEYS.gid) ?? "";
    const branchId = query.get(BRANCH_KEYS.branchId) ?? "";
    const op = query.get(BRANCH_KEYS.op) ?? "";
    return this.#wire.send(this.#branchMessage(request, { gid, branchId, op, timeoutMs, fromCoordinator: false, wait }));
  }

  async #callBranch(invocation: Invocation): Promise<Outcome> {
    const { gid, branchId, op, type, payload, timeoutMs } = invocation;
    const url = new URL(invocation.url);
    url.searchParams.set(BRANCH_KEYS.branchId, branchId);
    url.searchParams.set(BRANCH_KEYS.gid, gid);
    url.searchParams.set(BRANCH_KEYS.op, op);
    url.searchParams.set(BRANCH_KEYS.transType, type);
    const request: HttpRequest = {
      method: payload.length > 0 || type === "xa" ? "POST" : "GET",
      url: url.href,
      headers: { "content-type": "application/json", accept: "application/json", ...invocation.headers },
      ...(payload.length > 0 ? { body: payload } : {}),
    };
    const reply = await this.#wire.send(this.#branchMessage(request, { gid, branchId, op, timeoutMs, fromCoordinator: true }));
    if ("lost" in reply) return { kind: "unknown", message: reply.lost };
    const { status, body, retryAfter } = reply.answer;
    return outcomeFromHttp(status, body.toString("utf8"), { "retry-after": retryAfter });
  }

  #branchMessage(
    request: HttpRequest,
    call: {
      readonly gid: string;
      readonly branchId: string;
      readonly op: string;
      readonly timeoutMs: number;
      readonly fromCoordinator: boolean;
      readonly wait?: Wait;
    },
  ): Message<ServiceAnswer> {
    const branch = `${this.alias(call.gid)}/${call.branchId}`;
    return {
      kind: "branch",
      label: `${branch}.${call.op}`,
      timeoutMs: call.timeoutMs,
      act: (worker) => {
        const { origin, pathname } = new URL(request.url);
        worker.place = `${origin}${pathname}`;
        return this.activity.run(worker, () => this.services.call(request));
      },
      tell,
      ...(call.op === "action" || call.op === "try" ? { refusal: { answer: REFUSED, isSuccess } } : {}),
      place: { branch, op: call.op },
      fromCoordinator: call.fromCoordinator,
      ...(call.wait === undefined ? {} : { wait: call.wait }),
    };
  }

  #say(line: string): void {
    let told = line;
    for (const [gid, alias] of this.#aliases) told = told.replaceAll(gid, alias);
    if (told.length > LONGEST_LINE) told = `${told.slice(0, LONGEST_LINE)}…`;
    this.trace.push(`+${((this.clock.now() - BEGINNING) / 1000).toFixed(3)}s  ${told}`);
  }
}

function tell({ status, body }: ServiceAnswer): string {
  return status === 200 ? "200" : `${status} ${body.toString("utf8")}`;
}

function isSuccess({ status, body }: ServiceAnswer): boolean {
  return outcomeFromHttp(status, body.toString("utf8")).kind === "success";
}

function toReply<A>(answer: A): Reply<A> {
  return { answer };
}

function toLost(cause: unknown): { readonly lost: string } {
  return { lost: cause instanceof Error ? cause.message : String(cause) };
}

function toHttpAnswer(reply: Reply<ServiceAnswer>): HttpAnswer {
  if ("lost" in reply) return { kind: "none", message: reply.lost, cause: new DtmError("COORDINATOR_UNREACHABLE", reply.lost) };
  return { kind: "answer", ...reply.answer };
}
