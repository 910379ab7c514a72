/** What the supervisor and its workers tell each other over the channel that node's cluster opens between them. */
import type { Measured } from "../telemetry/metrics.js";

export type FromWorker =
  | { readonly kind: "started"; readonly ports: { readonly http: number; readonly grpc: number } }
  /** Somebody asked this worker for the page that tells of all. */
  | { readonly kind: "scrape"; readonly id: number }
  | { readonly kind: "measured"; readonly ask: number; readonly metrics: Measured };

export type ToWorker =
  | { readonly kind: "stop" }
  | { readonly kind: "measure"; readonly ask: number }
  | { readonly kind: "page"; readonly id: number; readonly text: string };
