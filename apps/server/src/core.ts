/** The coordinator without its edges: engine, scheduler and commands over a store and participants. What the server, the simulation and the test kit build. */
import type { Clock } from "./engine/clock.js";
import { Commands } from "./engine/commands.js";
import type { Coordinator, Log, Telemetry, TopicRegistry } from "./engine/coordinator.js";
import { DEFAULT_RULES, type DestinationRules, Destinations } from "./engine/destinations.js";
import type { AlertEvent } from "./engine/drive.js";
import { Engine } from "./engine/engine.js";
import type { EngineSettings } from "./engine/settings.js";
import type { Participants } from "./participants/participant.js";
import { ClaimLoop } from "./scheduler/claim-loop.js";
import { Heartbeat } from "./scheduler/heartbeat.js";
import { Probes } from "./scheduler/probes.js";
import type { TransactionStore } from "./stores/store.js";

export interface CoreParts {
  readonly store: TransactionStore;
  readonly participants: Participants;
  readonly topics: Pick<TopicRegistry, "subscribers">;
  readonly clock: Clock;
  readonly settings: EngineSettings;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly alert: (event: AlertEvent) => void;
  readonly random: () => number;
  readonly newEpoch: () => string;
  /** Whether the process of this epoch provably ended (R2). Absent: nothing is provable, and every lease is waited for. */
  readonly isGone?: (epoch: string) => boolean;
  /** Told how late each due transaction was claimed, in milliseconds. */
  readonly claimLag?: (millis: number) => void;
  /** When a breaker opens; default: R13's. */
  readonly breaker?: Pick<DestinationRules, "errorsToOpen" | "transactionsToOpen">;
}

export interface Core {
  readonly coordinator: Coordinator;
  readonly engine: Engine;
  readonly destinations: Destinations;
  /** This node is among the living, and drives what it is asked to; it takes up nothing by itself yet. */
  join(): Promise<void>;
  /** From now on it takes up what is due. */
  claim(): void;
  /** Both. */
  start(): Promise<void>;
  /** Looks now for what is due, and learns what is due next. */
  look(): void;
  /** Rejects while the store takes no heartbeat of this node. */
  checkHeartbeat(): Promise<void>;
  /** First of all when stopping: no new work, no new call; waiting callers hear of it as the calls in flight end (R18). */
  beginStop(): void;
  stop(deadline: AbortSignal): Promise<void>;
}

export function buildCore(parts: CoreParts): Core {
  const { store, clock, settings, log } = parts;
  const probes: Probes = new Probes({
    store,
    engine: () => engine,
    clock,
    log,
    look: () => loop.look(),
    readBack: (owner) => void loop.readBack(owner),
    unreadable: () => loop.unreadable,
  });
  const destinations = new Destinations(clock, { ...DEFAULT_RULES, ...parts.breaker, limit: settings.destinationLimit }, probes);
  const engine: Engine = new Engine({ ...parts, destinations });
  const lag = parts.claimLag === undefined ? {} : { lag: parts.claimLag };
  const loop: ClaimLoop = new ClaimLoop({ store, engine, clock, log, intervalMs: settings.transCronInterval * 1000, ...lag });
  const { heartbeatMs: everyMs, leaseMs } = settings;
  const heartbeat = new Heartbeat({ store, engine, clock, log, everyMs, leaseMs, isGone: parts.isGone });
  engine.listen({ dueAt: (at) => loop.dueAt(at), missed: (destination) => probes.missed(destination) });
  const join = async (): Promise<void> => {
    await heartbeat.start();
    await probes.start(destinations);
  };
  const coordinator = new Commands({ store, engine, scheduler: loop, topics: parts.topics, clock, settings });
  return {
    coordinator,
    engine,
    destinations,
    join,
    claim: () => loop.start(),
    async start() {
      await join();
      loop.start();
    },
    look: () => loop.look(),
    checkHeartbeat: () => heartbeat.check(),
    beginStop() {
      engine.beginStop();
    },
    async stop(deadline) {
      engine.beginStop();
      probes.stop();
      await loop.stop();
      await engine.stop(deadline);
      await heartbeat.stop();
    },
  };
}
