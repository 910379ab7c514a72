export * from "@dtm/client-core";
export type { TlsOptions } from "./agents.js";
export { HttpClient, type HttpClientOptions } from "./client.js";
