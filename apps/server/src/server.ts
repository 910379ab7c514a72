/**
 * Builds the server: the only file that knows every part. What is listed first starts first and stops last (R18).
 * What each part does is its own file's business; how settings are read is config/'s.
 */
import type { Config } from "./config/schema.js";
import { toEngineSettings } from "./config/to-engine.js";
import { buildCore, type Core } from "./core.js";
import { systemClock } from "./engine/clock.js";
import type { Coordinator, Log } from "./engine/coordinator.js";
import type { EngineSettings } from "./engine/settings.js";
import { driverNamed } from "./participants/driver.js";
import { egressFrom } from "./participants/egress-rules.js";
import { openParticipants } from "./participants/open.js";
import type { Participants } from "./participants/participant.js";
import { isPair, PemUnusable, readCertificate, readKey } from "./pem.js";
import { Epochs } from "./scheduler/epoch.js";
import { Retention } from "./scheduler/retention.js";
import { type Service, StartError } from "./service.js";
import { opened, openStore } from "./stores/open.js";
import type { Store } from "./stores/store.js";
import { openAlerts } from "./telemetry/alert.js";
import { createMetrics, type Metrics } from "./telemetry/metrics.js";
import { Topics } from "./topics/registry.js";
import { GrpcListener } from "./transports/grpc/listener.js";
import type { HealthCheck } from "./transports/http/health.js";
import { HttpListener } from "./transports/http/listener.js";
import { grpcVersion, serverVersion } from "./version.js";

export interface ServerOverrides {
  readonly store?: Store;
  readonly participants?: Participants;
  /** What a scraper is shown instead of this process's own metrics: those of all workers. */
  readonly metricsPage?: () => Promise<string>;
  /** Node's own metrics are the whole process's: once is enough for several servers in one. */
  readonly processMetrics?: boolean;
}

export interface BuiltServer {
  /** In start order. */
  readonly services: readonly Service[];
  readonly coordinator: Coordinator;
  readonly metrics: Metrics;
  /** Rejects when a part can't go on, and the process with it. */
  readonly failed: Promise<never>;
  /** The ports in use, once started. */
  ports(): { readonly http: number; readonly grpc: number };
}

export async function buildServer(config: Config, log: Log, overrides: ServerOverrides = {}): Promise<BuiltServer> {
  const failure = failable();
  const version = serverVersion();
  const metrics = createMetrics({ version, grpcVersion: grpcVersion(), processMetrics: overrides.processMetrics ?? true });
  const store = overrides.store ?? (await openStore(config, { log, onFatal: failure.fail, flushed: metrics.flushed }));
  const participants = overrides.participants ?? participantsFrom(config);
  const alerts = openAlerts({ url: config.AlertWebHook, log, count: metrics.alerted });
  const topics = new Topics({ store, clock: systemClock, log, refreshMs: config.ConfigUpdateInterval * 1000 });
  const settings = toEngineSettings(config);
  const epochs = new Epochs();
  const core = buildCore({
    store,
    participants,
    topics,
    clock: systemClock,
    settings,
    log,
    telemetry: metrics,
    alert: (event) => alerts.alert(event),
    random: Math.random,
    newEpoch: () => epochs.fresh(),
    isGone: (epoch) => epochs.isGone(epoch),
    claimLag: metrics.claimLag,
  });
  watch(metrics, { settings, core, store });
  const retention = new Retention({ store, clock: systemClock, log, keepMs: keepMs(config), random: Math.random });
  const shared = {
    coordinator: core.coordinator,
    topics,
    telemetry: metrics,
    log,
    access: accessFrom(config),
    ...tlsFrom(config),
  };
  const grpc = new GrpcListener({ ...shared, port: config.GrpcPort });
  const http = new HttpListener({
    ...shared,
    port: config.HttpPort,
    version: `v${version}`,
    metricsText: overrides.metricsPage ?? (() => metrics.page()),
    checks: checksOf(store, core),
  });
  return {
    services: [
      { name: "store", start: () => opened(store, log), stop: () => store.close() },
      { name: "alerts", start: async () => undefined, stop: () => alerts.close() },
      { name: "participants", start: () => registered(config), stop: () => participants.close() },
      { name: "engine", start: () => core.join(), stop: (deadline) => core.stop(deadline) },
      { name: "retention", start: async () => retention.start(), stop: () => retention.stop() },
      { name: "topics", start: () => topics.start(), stop: () => topics.stop() },
      naming("GrpcPort (GRPC_PORT)", grpc),
      naming("HttpPort (HTTP_PORT)", http),
      // Starts last: what is taken up may call an application that asks this server something while it answers. Stops first: no new work
      // anywhere, before the first listener waits for the answers under way.
      {
        name: "admission",
        start: async () => core.claim(),
        stop: async () => {
          http.beginStop();
          core.beginStop();
        },
      },
    ],
    coordinator: core.coordinator,
    metrics,
    failed: failure.failed,
    ports: () => ({ http: http.port, grpc: grpc.port }),
  };
}

function checksOf(store: Store, core: Core): readonly HealthCheck[] {
  const answers = { name: "store", check: () => store.ping() };
  // A store of one server's own has none.
  if (!store.shared) return [answers];
  return [answers, { name: "heartbeat", says: "the store takes no heartbeat", check: () => core.checkHeartbeat() }];
}

/** How long finished transactions are kept (R30). */
function keepMs({ Store, Retention }: Config): number {
  return (Store.Driver === "redis" ? Store.FinishedDataExpire : Retention) * 1000;
}

function participantsFrom(config: Config): Participants {
  const driver = driverNamed(config.MicroService.Driver);
  if (driver === null) throw new StartError(`MicroService.Driver ${config.MicroService.Driver} is unknown: use default or dns`);
  return openParticipants({
    driver,
    isDocker: config.IsDocker !== "",
    grpcServiceConfig: config.GrpcServiceConfig,
    egress: egressFrom({ allow: config.Egress.Allow, deny: config.Egress.Deny }),
  });
}

async function registered({ MicroService }: Config): Promise<void> {
  await driverNamed(MicroService.Driver)?.register(MicroService.Target, MicroService.EndPoint);
}

function watch(metrics: Metrics, { settings, core, store }: { settings: EngineSettings; core: Core; store: Store }): void {
  metrics.watch({
    store,
    driving: () => core.engine.driving,
    destinations: () => core.destinations.view(),
    settings,
    now: () => systemClock.now(),
  });
}

function accessFrom({ Host, AuthToken, AllowInsecure, AllowedHosts }: Config) {
  return { host: Host, authToken: AuthToken, allowInsecure: AllowInsecure, allowedHosts: AllowedHosts };
}

function tlsFrom({ Tls }: Config): { readonly tls?: { readonly cert: string; readonly key: string } } {
  if (Tls.CertFile === "") return {};
  const [certSetting, keySetting] = ["Tls.CertFile (TLS_CERT_FILE)", "Tls.KeyFile (TLS_KEY_FILE)"];
  try {
    const cert = readCertificate(certSetting, Tls.CertFile);
    const key = readKey(keySetting, Tls.KeyFile);
    if (!isPair(cert, key)) throw new PemUnusable(`${keySetting} names ${Tls.KeyFile}, which isn't the key of ${Tls.CertFile}`);
    return { tls: { cert, key } };
  } catch (cause) {
    throw cause instanceof PemUnusable ? new StartError(cause.message, { cause }) : cause;
  }
}

/** A start that fails at a listener names its setting. */
function naming(setting: string, service: Service): Service {
  const explain = (cause: unknown): never => {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(message.includes(setting) ? message : `${message}: end what uses the port, or set ${setting}`, {
      cause,
    });
  };
  return {
    name: service.name,
    start: () => service.start().catch(explain),
    stop: (deadline) => service.stop(deadline),
  };
}

function failable(): { readonly failed: Promise<never>; readonly fail: (cause: Error) => void } {
  let fail = (_cause: Error): void => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever runs the server listens; one that is only built must not end the process.
  failed.catch(() => undefined);
  return { failed, fail };
}
