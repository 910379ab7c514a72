/** One server process of a story: the real core, which can go silent for ever at a named write. */
import { buildCore, type Core } from "../../src/core.js";
import type { Clock } from "../../src/engine/clock.js";
import type { Log, Telemetry } from "../../src/engine/coordinator.js";
import type { AlertEvent } from "../../src/engine/drive.js";
import type { EngineSettings } from "../../src/engine/settings.js";
import type { VirtualClock } from "../../src/engine/virtual-clock.js";
import type { Participants } from "../../src/participants/participant.js";
import type { MemoryStore } from "../../src/stores/memory/store.js";
import type { Store } from "../../src/stores/store.js";
import type { Call, ScriptedParticipants } from "../kit/scripted-participants.js";
import { WatchedStore } from "../kit/watched-store.js";
import type { CrashPoint } from "./command.js";

export interface NodeEvents {
  written(node: StoryNode, method: string, args: readonly unknown[]): void;
  /** A call that is answered at once has its outcome already; `answered` follows for the others. */
  called(node: StoryNode, call: Call): void;
  answered(node: StoryNode, call: Call): void;
  alerted(node: StoryNode, event: AlertEvent): void;
  logged(node: StoryNode, fields: object, event: string): void;
  crashed(node: StoryNode): void;
}

export interface NodeParts {
  readonly name: string;
  /** Which process of this name: every start is a new epoch. */
  readonly life: number;
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly services: ScriptedParticipants;
  readonly topics: ReadonlyMap<string, readonly string[]>;
  readonly settings: EngineSettings;
  readonly events: NodeEvents;
}

const DEAF: Telemetry = { served: () => undefined, drove: () => undefined, called: () => undefined };
const NEVER = new Promise<never>(() => undefined);

export class StoryNode {
  readonly watched: WatchedStore;
  readonly core: Core;
  readonly settings: EngineSettings;
  /** Its next write of this kind is its end. */
  doom: CrashPoint | null = null;
  #alive = true;

  constructor(private readonly parts: NodeParts) {
    let epochs = 0;
    this.settings = parts.settings;
    this.watched = new WatchedStore(parts.store, (method, args) => parts.events.written(this, method, args));
    this.core = buildCore({
      store: this.#store(),
      participants: this.#participants(),
      topics: { subscribers: async (topic) => parts.topics.get(topic) ?? null },
      clock: this.#clock(),
      settings: parts.settings,
      log: this.#log(),
      telemetry: DEAF,
      alert: (event) => parts.events.alerted(this, event),
      random: () => 0,
      newEpoch: () => `${parts.name}.${parts.life}${++epochs === 1 ? "" : `.${epochs}`}`,
    });
  }

  get name(): string {
    return this.parts.name;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** As after kill -9: nothing of it goes on, and nobody is told. */
  crash(): void {
    this.#alive = false;
    this.parts.events.crashed(this);
  }

  #gate(work: () => void): void {
    if (this.#alive) work();
  }

  #receive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.#gate(() => resolve(value)),
        (cause: unknown) => this.#gate(() => reject(cause)),
      );
    });
  }

  #clock(): Clock {
    const { clock } = this.parts;
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delay, callback) => clock.after(delay, () => this.#gate(callback)),
    };
  }

  #store(): Store {
    return new Proxy<Store>(this.watched.store, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function" || typeof property !== "string") return value;
        return (...args: unknown[]) => this.#ask(property, async () => Reflect.apply(value, target, args));
      },
    });
  }

  async #ask(method: string, work: () => Promise<unknown>): Promise<unknown> {
    if (!this.#alive) return NEVER;
    const doomed = this.doom?.method === method ? this.doom.when : null;
    if (doomed === "before") {
      this.crash();
      return NEVER;
    }
    if (doomed === null) return this.#receive(work());
    await work();
    this.crash();
    return NEVER;
  }

  #participants(): Participants {
    const { services, events } = this.parts;
    return {
      destinationOf: (invocation) => services.destinationOf(invocation),
      call: (invocation) => {
        if (!this.#alive) return NEVER;
        const answer = services.call(invocation);
        const call = services.calls.at(-1);
        if (call === undefined) throw new Error("the call was not noted");
        events.called(this, call);
        if (call.outcome !== null) return this.#receive(answer);
        return this.#receive(
          answer.then((outcome) => {
            events.answered(this, call);
            return outcome;
          }),
        );
      },
      close: () => services.close(),
    };
  }

  #log(): Log {
    const tell = (fields: object, event: string): void => this.parts.events.logged(this, fields, event);
    return { debug: tell, info: tell, warn: tell, error: tell };
  }
}
