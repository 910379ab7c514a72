/** One whole core on a virtual clock: memory store, scripted services, and everything it said. */
import { buildCore, type Core } from "../../src/core.js";
import type { Coordinator, Log, Telemetry } from "../../src/engine/coordinator.js";
import type { AlertEvent } from "../../src/engine/drive.js";
import { Refusal } from "../../src/engine/refusal.js";
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings, type TypeSettings } from "../../src/engine/settings.js";
import type { Loaded, TransactionType } from "../../src/engine/transaction.js";
import { settle, VirtualClock } from "../../src/engine/virtual-clock.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import { type Call, ScriptedParticipants } from "./scripted-participants.js";
import { WatchedStore } from "./watched-store.js";

export interface TestNodeOptions {
  readonly settings?: Partial<EngineSettings>;
  readonly types?: Partial<Record<TransactionType, Partial<TypeSettings>>>;
  readonly topics?: Readonly<Record<string, readonly string[]>>;
  readonly random?: () => number;
  /** To let several nodes share one store and one clock. */
  readonly clock?: VirtualClock;
  readonly store?: MemoryStore;
  readonly name?: string;
  readonly isGone?: (epoch: string) => boolean;
  readonly heard?: (call: Call) => void;
  readonly alerted?: (event: AlertEvent) => void;
  readonly written?: (method: string, args: readonly unknown[]) => void;
}

export class TestNode {
  readonly clock: VirtualClock;
  readonly memory: MemoryStore;
  readonly watched: WatchedStore;
  readonly participants: ScriptedParticipants;
  readonly core: Core;
  readonly alerts: AlertEvent[] = [];
  readonly logged: { readonly level: string; readonly event: string; readonly fields: object }[] = [];
  readonly drove: string[] = [];
  readonly lags: number[] = [];

  constructor(options: TestNodeOptions = {}) {
    this.clock = options.clock ?? new VirtualClock();
    this.memory = options.store ?? new MemoryStore({ now: () => this.clock.now() });
    this.watched = new WatchedStore(this.memory, options.written);
    this.participants = new ScriptedParticipants(this.clock, options.heard);
    let epochs = 0;
    this.core = buildCore({
      store: this.watched.store,
      participants: this.participants,
      topics: { subscribers: async (topic) => options.topics?.[topic] ?? null },
      clock: this.clock,
      settings: settingsWith(options),
      log: this.#log(),
      telemetry: this.#telemetry(),
      alert: (event) => {
        this.alerts.push(event);
        options.alerted?.(event);
      },
      random: options.random ?? (() => 0),
      newEpoch: () => `${options.name ?? "node"}.${++epochs}`,
      ...(options.isGone === undefined ? {} : { isGone: options.isGone }),
      claimLag: (millis) => this.lags.push(millis),
    });
  }

  static async started(options: TestNodeOptions = {}): Promise<TestNode> {
    const node = new TestNode(options);
    await node.core.start();
    return node;
  }

  get coordinator(): Coordinator {
    return this.core.coordinator;
  }

  stored(gid: string): Loaded {
    const loaded = this.memory.peek(gid);
    if (loaded === null) throw new Error(`${gid} is not stored`);
    return loaded;
  }

  status(gid: string): string {
    return this.stored(gid).transaction.status;
  }

  /** `01 action succeed` per row. */
  rows(gid: string): string[] {
    return this.stored(gid).branches.map(({ branchId, op, status }) => `${branchId} ${op} ${status}`);
  }

  /** How long it still rests, in seconds; "driven" while somebody owns it. */
  rest(gid: string): number | "driven" {
    const { owner, nextCronTime } = this.stored(gid).transaction;
    return owner === "" ? (nextCronTime - this.clock.now()) / 1000 : "driven";
  }

  /** Fires timers until the claim is true; a story that never gets there fails. */
  async until(claim: () => boolean, withinMs = 3_600_000): Promise<void> {
    const end = this.clock.now() + withinMs;
    await settle();
    while (!claim()) {
      const next = this.clock.nextAt();
      if (next === null || next > end) throw new Error(`not reached within ${withinMs} ms: ${claim}`);
      this.clock.fireNext();
      await settle();
    }
  }

  async stop(deadline: AbortSignal = new AbortController().signal): Promise<void> {
    await this.core.stop(deadline);
  }

  #log(): Log {
    const at = (level: string) => (fields: object, event: string) => {
      this.logged.push({ level, event, fields });
    };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  #telemetry(): Telemetry {
    return {
      served: () => undefined,
      drove: (model, failed) => this.drove.push(`${model}${failed ? " failed" : ""}`),
      called: () => undefined,
    };
  }
}

export function settingsWith({ settings, types }: Pick<TestNodeOptions, "settings" | "types">): EngineSettings {
  const base = DEFAULT_ENGINE_SETTINGS.types;
  return {
    ...DEFAULT_ENGINE_SETTINGS,
    ...settings,
    types: {
      saga: { ...base.saga, ...types?.saga },
      tcc: { ...base.tcc, ...types?.tcc },
      xa: { ...base.xa, ...types?.xa },
      msg: { ...base.msg, ...types?.msg },
      workflow: { ...base.workflow, ...types?.workflow },
    },
  };
}

/** What a caller heard, once it has heard something: "ok", or `CODE message`. */
export interface Hearing {
  heard: string | null;
}

export function hearing(request: Promise<unknown>): Hearing {
  const hearing: Hearing = { heard: null };
  request.then(
    () => {
      hearing.heard = "ok";
    },
    (cause: unknown) => {
      hearing.heard = cause instanceof Refusal ? `${cause.code} ${cause.message}` : `threw ${String(cause)}`;
    },
  );
  return hearing;
}
