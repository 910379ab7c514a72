/**
 * The coordinator inside another program's process: the real core and the real HTTP routes over the memory store, with the clock and the
 * participants that the program gives it. No socket, no file, no thread. `@dtm/testing` is built on it; it is the package's public entry
 * `@dtm/server/embedded`.
 */
import { buildCore, type Core } from "./core.js";
import type { Clock } from "./engine/clock.js";
import type { Log, Telemetry } from "./engine/coordinator.js";
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from "./engine/settings.js";
import type { Millis } from "./engine/transaction.js";
import type { Invocation, Participants } from "./participants/participant.js";
import { MemoryStore } from "./stores/memory/store.js";
import type { Store } from "./stores/store.js";
import { Topics } from "./topics/registry.js";
import { NOT_FOUND } from "./transports/http/answer.js";
import { encodeRefusal, refusalFrom } from "./transports/http/errors.js";
import { type Api, ROUTES, type Route } from "./transports/http/routes.js";

export type { Outcome } from "@dtm/protocol";
export type { Clock } from "./engine/clock.js";
export { systemClock } from "./engine/clock.js";
export type { Log } from "./engine/coordinator.js";
export { DEFAULT_ENGINE_SETTINGS, type EngineSettings, type TypeSettings } from "./engine/settings.js";
export { settle, VirtualClock } from "./engine/virtual-clock.js";
export type { Invocation, Participants } from "./participants/participant.js";

/** What outlives a crash: give the same one to the next coordinator. */
export type EmbeddedStorage = MemoryStore;

/** An empty store. `now` is the store's own clock, in milliseconds since 1970. */
export function openStorage(now: () => Millis): EmbeddedStorage {
  return new MemoryStore({ now, shared: true });
}

export interface EmbeddedParts {
  readonly storage: EmbeddedStorage;
  readonly clock: Clock;
  readonly participants: Pick<Participants, "call">;
  /** For jitter; between 0 and 1. */
  readonly random: () => number;
  /** Default: those of a server without configuration. */
  readonly settings?: Partial<EngineSettings>;
  /** Default: says nothing. */
  readonly log?: Log;
}

export interface EmbeddedRequest {
  readonly method: string;
  /** Path and query, as in `/api/dtmsvr/query?gid=g`. */
  readonly url: string;
  readonly body?: Uint8Array;
}

export interface EmbeddedAnswer {
  readonly status: number;
  readonly body: string;
}

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const DEAF: Telemetry = { served: () => undefined, drove: () => undefined, called: () => undefined };
const DAY_MS = 86_400_000;
/** Nobody else writes to the storage, and a crash retires its epoch by itself: to look and to beat often would only make virtual time slow. */
const UNHURRIED: Partial<EngineSettings> = { transCronInterval: DAY_MS / 1000, heartbeatMs: DAY_MS, leaseMs: 3 * DAY_MS };
const API = "/api/dtmsvr";

export class Embedded {
  readonly #life = new Life();
  readonly #core: Core;
  readonly #api: Api;
  readonly #topics: Topics;
  readonly #storage: EmbeddedStorage;
  readonly #epoch = `embedded.${++epochs}`;

  constructor(parts: EmbeddedParts) {
    this.#storage = parts.storage;
    const store: Store = this.#life.guard(parts.storage);
    const clock = this.#life.clock(parts.clock);
    const log = parts.log ?? SILENT;
    const { participants } = parts;
    this.#topics = new Topics({ store, clock, log, refreshMs: DAY_MS });
    this.#core = buildCore({
      store,
      participants: {
        destinationOf: ({ url }) => url.split("?", 1)[0] ?? url,
        call: (invocation: Invocation) => this.#life.during(() => participants.call(invocation)),
        close: async () => undefined,
      },
      topics: this.#topics,
      clock,
      settings: { ...DEFAULT_ENGINE_SETTINGS, ...UNHURRIED, ...parts.settings },
      log,
      telemetry: DEAF,
      alert: () => undefined,
      random: parts.random,
      newEpoch: () => this.#epoch,
    });
    this.#api = {
      coordinator: this.#core.coordinator,
      topics: this.#topics,
      log,
      version: "v0.0.0-embedded",
      metricsText: async () => "",
      checks: [],
      stopping: () => false,
      openApi: "{}",
    };
  }

  async start(): Promise<void> {
    await this.#core.start();
    await this.#topics.start();
  }

  /** Answers as the HTTP API does; never rejects. After {@link crash} it never answers, like a process that is gone. */
  handle({ method, url, body = new Uint8Array() }: EmbeddedRequest): Promise<EmbeddedAnswer> {
    return this.#life.during(async () => {
      const mark = url.indexOf("?");
      const path = mark < 0 ? url : url.slice(0, mark);
      const found = routeOf(method, path);
      if (found === null) return { status: NOT_FOUND.status, body: NOT_FOUND.body };
      try {
        const search = mark < 0 ? "" : url.slice(mark + 1);
        const answer = await found.route.handle(this.#api, { search, body, param: found.param });
        // What was prepared comes due by itself, and the claim loop looks once a day here.
        if (method === "POST") this.#core.look();
        return { status: answer.status, body: answer.body };
      } catch (cause) {
        const answer = encodeRefusal(refusalFrom(cause));
        return { status: answer.status, body: answer.body };
      }
    });
  }

  /** The process dies: nothing that it began goes on, what it had stored stays, and the next one takes it up at once (R2). */
  crash(): void {
    this.#life.end();
    void this.#storage.retire(this.#epoch);
  }

  /** A graceful stop (R18); `deadline` ends the wait for calls in flight. */
  async stop(deadline: AbortSignal): Promise<void> {
    await this.#topics.stop();
    await this.#core.stop(deadline);
    this.#life.end();
  }
}

let epochs = 0;

/** A process that can die: what it waits for then never comes. */
class Life {
  #alive = true;

  end(): void {
    this.#alive = false;
  }

  during<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return;
      work().then(
        (value) => this.#alive && resolve(value),
        (cause: unknown) => this.#alive && reject(cause),
      );
    });
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delay, callback) =>
        clock.after(delay, () => {
          if (this.#alive) callback();
        }),
      giveWay: () => this.during(async () => clock.giveWay?.()),
    };
  }

  guard(store: MemoryStore): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: unknown[]): Promise<unknown> =>
          this.during(async () => (await Reflect.apply(member, target, given)) as unknown);
      },
    });
  }
}

function routeOf(method: string, path: string): { readonly route: Route; readonly param: string } | null {
  for (const route of ROUTES) {
    if (!route.path.startsWith(API) || (route.method !== method && route.method !== "ANY")) continue;
    const colon = route.path.indexOf(":");
    if (colon < 0 ? route.path === path : path.startsWith(route.path.slice(0, colon)) && path.length > colon)
      return { route, param: colon < 0 ? "" : decodeURIComponent(path.slice(colon)) };
  }
  return null;
}
