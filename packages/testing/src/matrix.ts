/** Runs a transaction under every single fault, alone and together with a refusal, and finds the smallest schedule that breaks it. */
import type { RequestListener } from "node:http";
import type { Client } from "@dtm/client-core";
import { requireFunction } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";
import type { EngineSettings } from "@dtm/server/embedded";
import { ScenarioInvalid } from "./activity.js";
import { connection } from "./connection.js";
import { isFinal } from "./coordinator.js";
import { fallibleIn } from "./fallible.js";
import { checkMatrix, checkMs, checkService } from "./options.js";
import { FAULTS, type Fault, faultsAt, fromSeed, type Point, type Schedule, toSeed } from "./schedule.js";
import { type Ended, World } from "./world.js";

/** What a scenario may use; one for each run. */
export interface Kit {
  /** The whole client, in process; also for handlers that call branches themselves. */
  readonly client: Client;
  /** Serves every branch address that begins with `origin` (the longest one of several), without a socket. */
  serve(origin: string, listener: RequestListener): void;
  /**
   * A step that a crash can come before or after, like a write to a database. What isn't awaited is lost with its process, as in
   * production.
   */
  io<T>(work: () => Promise<T> | T): Promise<T>;
  /**
   * The same object, and each call of its methods, and of the objects that it holds (`prisma.account.update()`), is an {@link Kit.io} of its
   * own. For clients of databases, whose methods are asynchronous. What a call gives, like the `tx` of a transaction, isn't covered: it needs
   * a `fallible` of its own.
   */
  fallible<T extends object>(target: T): T;
  /**
   * The same connection to a database, which dies with the process of the handler that took it out of its pool: `destroy` closes it, and the
   * database rolls back what was open, as after a real crash. Until its `release()` is called. Needed wherever a step of {@link Kit.io} is
   * taken inside a database transaction, whose locks would outlive the crash.
   *
   * @param destroy - Closes it for good; may be asynchronous, and time stands still meanwhile.
   * @example
   * const client = kit.connection(await pool.connect(), (dead) => dead.release(true)); // pg
   *
   * @example
   * const connection = kit.connection(await pool.getConnection(), (dead) => dead.destroy()); // mysql2, mariadb
   */
  connection<T extends object>(client: T, destroy: (client: T) => unknown): T;
  /** Lets virtual time pass, in milliseconds. */
  pause(ms: number): Promise<void>;
}

/** One transaction of an application, as {@link faultMatrix} runs it again and again. */
export interface Scenario<State> {
  /** Makes a fresh state for one run: empty databases, mounted services. */
  setup(kit: Kit): Promise<State> | State;
  /** What the application does: begins its transaction. An error is part of the run, and the invariant sees it. */
  run(kit: Kit, state: State): Promise<unknown>;
}

/** How one run ended, for the invariant. */
export interface Run<State> {
  readonly state: State;
  /** Every transaction, in the order of their creation; gids are replaced by `g1`, `g2`, … */
  readonly transactions: readonly Ended[];
  /** `returned`, `threw`, or `died` when a fault ended its process. */
  readonly caller: "returned" | "threw" | "died";
  readonly error: unknown;
}

/** Settings of {@link faultMatrix}. */
export interface FaultMatrixOptions<State> {
  /** What must hold at the end of every run: throws, or returns false, when it doesn't. */
  readonly invariant: (run: Run<State>) => unknown;
  /** Runs only this schedule, as an earlier run printed it. */
  readonly seed?: string | undefined;
  /** How many runs at most. Default: 5,000. */
  readonly maxRuns?: number | undefined;
  /** Virtual time after which a transaction that hasn't ended breaks the run. Default: 7 days. */
  readonly withinMs?: number | undefined;
  /**
   * Real time in milliseconds that a handler may run without an answer, or a wait for virtual time, before the matrix is given up: `Infinity` for
   * a debugger. Default: 10,000.
   */
  readonly longestHandlerMs?: number | undefined;
  /** The coordinator's settings. Default: its own. */
  readonly settings?: Partial<EngineSettings> | undefined;
}

/** What {@link faultMatrix} found. */
export interface FaultMatrixReport {
  readonly runs: number;
  /** Messages and steps that a fault could meet. */
  readonly points: number;
  /** Left out because of `maxRuns`. */
  readonly skipped: number;
  /** Of the run with the given seed, else of the run without faults. */
  readonly trace: readonly string[];
}

/** Some run broke the invariant; the message has the schedule, what replays it, and what happened. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
  /** Replays the run: `faultMatrix(scenario, { invariant, seed })`. */
  readonly seed: string;
  readonly trace: readonly string[];

  /** @internal */
  constructor(schedule: Schedule, trace: readonly string[], cause: unknown, runs: number) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const where = schedule.length === 0 ? "it breaks without any fault" : `smallest schedule that breaks it (run ${runs}):`;
    super([why, where, ...whatHappened(schedule, trace)].join("\n"), { cause });
    this.seed = toSeed(schedule);
    // The run's own goes on to its end.
    this.trace = [...trace];
  }
}

function whatHappened(schedule: Schedule, trace: readonly string[]): readonly string[] {
  return [
    ...schedule.map(({ kind, at }) => `  ${at}: ${FAULTS[kind]}`),
    `replay: seed: ${JSON.stringify(toSeed(schedule))}`,
    "what happened:",
    ...trace.map((line) => `  ${line}`),
  ];
}

/** Nothing is known about the invariant. */
function notRun(schedule: Schedule, trace: readonly string[], cause: ScenarioInvalid): DtmError {
  const where = schedule.length === 0 ? "it came to pass without any fault" : "schedule under which it came to pass:";
  return new DtmError(cause.code, [cause.message, where, ...whatHappened(schedule, trace)].join("\n"), { cause });
}

const DEFAULT_MAX_RUNS = 5_000;
const DEFAULT_WITHIN_MS = 7 * 86_400_000;

/**
 * Runs `scenario` without a fault, under every single fault, under every single fault behind each refusal of a branch, and with a refusal of
 * each repeat that a fault brought about. What succeeded once isn't refused later: services must promise that.
 *
 * @throws InvariantBroken for the first run, the smallest schedules first, whose invariant doesn't hold or whose transaction never ends;
 * DtmError OPTION_INVALID for a scenario that does nothing a fault could meet, for one that comes to a standstill (a handler never answers, or waits for a lock
 * that a dead process left behind, {@link Kit.connection}), and for a seed whose faults no longer come to pass.
 */
export async function faultMatrix<State>(
  scenario: Scenario<State>,
  options: FaultMatrixOptions<State>,
): Promise<FaultMatrixReport> {
  checkMatrix(scenario, options);
  const { maxRuns = DEFAULT_MAX_RUNS } = options;
  if (options.seed !== undefined) {
    const schedule = fromSeed(options.seed);
    const { points, trace, met, error } = await runOnce(scenario, options, schedule, 1);
    const missed = schedule.filter(({ at }) => !met.has(at)).map(({ at }) => at);
    if (missed.length > 0) {
      const passed = points.map(({ name }) => name).join(", ");
      throw new DtmError(
        "OPTION_INVALID",
        `seed: nothing came to pass at ${missed.join(", ")}; the run passed ${passed || "nothing"}`,
        {
          cause: error,
        },
      );
    }
    return { runs: 1, points: points.length, skipped: 0, trace };
  }
  const base = await runOnce(scenario, options, [], 1);
  if (base.points.length === 0) {
    throw new DtmError("OPTION_INVALID", "expected the scenario to call a branch or the coordinator, found that it did neither", {
      cause: base.error,
    });
  }
  let runs = 1;
  let skipped = 0;
  const usual = new Set(base.points.map(({ name }) => name));
  const pairs: Schedule[] = [];
  const attempt = async (schedule: Schedule): Promise<readonly Point[]> => {
    if (runs >= maxRuns) {
      skipped++;
      return [];
    }
    return (await runOnce(scenario, options, schedule, ++runs)).points;
  };
  for (const fault of base.points.flatMap(faultsAt)) {
    const points = await attempt([fault]);
    pairs.push(...(fault.kind === "refuse" ? behindRefusal(fault, points) : refusedRepeats(fault, points, usual)));
  }
  for (const pair of pairs) await attempt(pair);
  return { runs, points: base.points.length, skipped, trace: base.trace };
}

function behindRefusal(refusal: Fault, points: readonly Point[]): readonly Schedule[] {
  const others = points.flatMap(faultsAt).filter(({ kind, at }) => kind !== "refuse" && at !== refusal.at);
  return others.map((fault) => [refusal, fault]);
}

/** After a lost call the branch may refuse its repeat; its undo then meets what the first call did, or does later. */
function refusedRepeats(fault: Fault, points: readonly Point[], usual: ReadonlySet<string>): readonly Schedule[] {
  const repeats = points.filter(({ refusable, name }) => refusable && !usual.has(name));
  return repeats.map(({ name }) => [fault, { kind: "refuse", at: name }]);
}

interface OneRun {
  readonly points: readonly Point[];
  /** Names of the points at which a fault of the schedule came. */
  readonly met: ReadonlySet<string>;
  readonly trace: readonly string[];
  /** What the scenario's own code threw. */
  readonly error: unknown;
}

async function runOnce<State>(
  scenario: Scenario<State>,
  options: FaultMatrixOptions<State>,
  schedule: Schedule,
  number: number,
): Promise<OneRun> {
  const world = new World({ schedule, settings: options.settings, longestHandlerMs: options.longestHandlerMs });
  await world.start();
  const kit = kitOf(world);
  const state = await scenario.setup(kit);
  const { worker, result } = world.run(async () => scenario.run(kit, state));
  let caller: Run<State>["caller"] | null = null;
  let error: unknown;
  result.then(
    () => {
      caller ??= "returned";
    },
    (cause: unknown) => {
      caller ??= "threw";
      error = cause;
    },
  );
  void worker.died.then(() => {
    caller ??= "died";
  });
  const until = world.clock.now() + (options.withinMs ?? DEFAULT_WITHIN_MS);
  const over = (): boolean => caller !== null && world.undelivered === 0 && world.unfinished === 0;
  try {
    const ended = await world.pass(until, over);
    const transactions = await world.transactions();
    if (!ended) {
      const open = transactions.filter(({ status }) => !isFinal(status)).map(({ gid, status }) => `${gid} is '${status}'`);
      throw new Error(`it didn't end: ${open.join(", ") || "the caller still waits, or a message is still under way"}`);
    }
    const held = await options.invariant({ state, transactions, caller: caller ?? "died", error });
    if (held === false) throw new Error("the invariant is false");
  } catch (cause) {
    if (cause instanceof ScenarioInvalid) throw notRun(schedule, world.trace, cause);
    throw new InvariantBroken(schedule, world.trace, cause, number);
  } finally {
    await world.stop();
  }
  const { points, met } = world.faults;
  return { points, met, trace: world.trace, error };
}

function kitOf(world: World): Kit {
  return {
    client: world.client,
    serve(origin, listener) {
      checkService(origin, listener);
      world.serve(origin, listener);
    },
    async io(work) {
      requireFunction(work, "OPTION_INVALID", "kit.io");
      return world.io(work);
    },
    fallible: fallibleIn((work) => world.io(work)),
    connection: (client, destroy) => connection(world.activity, client, destroy),
    async pause(ms) {
      checkMs("kit.pause", ms);
      await world.pause(ms);
    },
  };
}
