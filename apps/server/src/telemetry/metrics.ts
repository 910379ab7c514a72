/**
 * Prometheus metrics at /api/metrics: dtm's six names with its labels and buckets (protocol.md 7.5), the process's own, and ours with
 * their units in the names. Labels that callers choose are bounded (Q15).
 */
import { collectDefaultMetrics, Gauge, type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import type { Telemetry } from "../engine/coordinator.js";
import { LeanCounter, LeanHistogram } from "./series.js";
import { type Collectable, collectStanding } from "./standing.js";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const FLUSH_SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const FLUSH_OPERATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const LAG_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** dtm's names of routes and methods are fewer; what a client makes up is one more. */
const MOST_APIS = 64;

export type Measured = MetricObjectWithValues<MetricValue<string>>[];

export interface MetricsOptions {
  readonly version: string;
  readonly grpcVersion: string;
  /** The process's and Node's own. Default true; they watch the whole process, so once is enough for several servers in one. */
  readonly processMetrics?: boolean;
}

export interface Metrics extends Telemetry {
  readonly contentType: string;
  /** The page itself. */
  page(): Promise<string>;
  /** The same as data, to be summed over workers. */
  measure(): Promise<Measured>;
  /** For the stores: one group commit. */
  flushed(operations: number, seconds: number): void;
  /** How late a due transaction was claimed. */
  claimLag(millis: number): void;
  alerted(result: "sent" | "failed" | "dropped"): void;
  /** What is asked at each scrape; known only once the parts are built. */
  watch(parts: Collectable): void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The default precision of 10 ms wakes an idle process a hundred times a second.
  if (options.processMetrics !== false) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  new Gauge({
    name: "dtm_server_info",
    help: "Always 1; dtm's labels, and this server's version",
    labelNames: ["gin_version", "grpc_version", "version"],
    registers,
    aggregator: "first",
  }).set({ gin_version: "none", grpc_version: options.grpcVersion, version: options.version }, 1);

  const requests = new LeanCounter({
    name: "dtm_server_process_total",
    help: "Requests answered, by outcome",
    labelNames: ["type", "api", "status"],
    registers,
  });
  const responses = new LeanHistogram({
    name: "dtm_server_response_duration",
    help: "Seconds until a request was answered",
    labelNames: ["type", "api"],
    buckets: SECONDS,
    registers,
  });
  const passes = new LeanCounter({
    name: "dtm_transaction_process_total",
    help: "Drives of a transaction, by outcome",
    labelNames: ["model", "status"],
    registers,
  });
  const handled = new LeanHistogram({
    name: "dtm_transaction_handled_duration",
    help: "Seconds from a transaction's creation to the end of a drive",
    labelNames: ["model"],
    buckets: SECONDS,
    registers,
  });
  const calls = new LeanCounter({
    name: "dtm_branch_process_total",
    help: "Branch calls, by outcome; branches of branches share a label",
    labelNames: ["model", "branchid", "branchtype", "status"],
    registers,
  });
  const flushOperations = new LeanHistogram({
    name: "dtm_store_flush_operations",
    help: "Operations per group commit",
    labelNames: [],
    buckets: FLUSH_OPERATIONS,
    registers,
  }).of();
  const flushSeconds = new LeanHistogram({
    name: "dtm_store_flush_seconds",
    help: "Seconds per group commit",
    labelNames: [],
    buckets: FLUSH_SECONDS,
    registers,
  }).of();
  const lag = new LeanHistogram({
    name: "dtm_claim_lag_seconds",
    help: "Seconds between a transaction's due time and its claim",
    labelNames: [],
    buckets: LAG_SECONDS,
    registers,
  }).of();
  const alerts = new LeanCounter({
    name: "dtm_alerts_total",
    help: "Alerts for the webhook, by what became of them",
    labelNames: ["result"],
    registers,
  });

  const apis = new Set<string>();
  const boundedApi = (api: string): string => {
    if (apis.has(api)) return api;
    if (apis.size >= MOST_APIS) return "other";
    apis.add(api);
    return api;
  };

  return {
    contentType: registry.contentType,
    page: () => registry.metrics(),
    measure: () => registry.getMetricsAsJSON(),
    served(type, api, failed, seconds) {
      const label = boundedApi(api);
      requests.of(type, label, word(failed)).count++;
      responses.of(type, label)(seconds);
    },
    drove(model, failed, secondsSinceCreate) {
      passes.of(model, word(failed)).count++;
      handled.of(model)(secondsSinceCreate);
    },
    called(model, branchId, op, failed) {
      calls.of(model, boundedBranchId(branchId), op, word(failed)).count++;
    },
    flushed(operations, seconds) {
      flushOperations(operations);
      flushSeconds(seconds);
    },
    claimLag: (millis) => lag(millis / 1000),
    alerted(result) {
      alerts.of(result).count++;
    },
    watch: (parts) => collectStanding(registry, parts),
  };
}

function word(failed: boolean): "ok" | "fail" {
  return failed ? "fail" : "ok";
}

/** "03" stays, "03-01-02" is a branch of a branch and becomes "03-*", anything a client made up is "other". */
function boundedBranchId(branchId: string): string {
  if (branchId.length === 2 && isDigits(branchId)) return branchId;
  return branchId[2] === "-" && isDigits(branchId) ? `${branchId.slice(0, 2)}-*` : "other";
}

function isDigits(text: string): boolean {
  const [tens, ones] = [text.charCodeAt(0), text.charCodeAt(1)];
  return tens >= 48 && tens <= 57 && ones >= 48 && ones <= 57;
}
