/** Everything that calls participants, built from settings; the engine sees only the interface. */
import type { Outcome } from "@dtm/protocol";
import { toDockerHost } from "../docker-host.js";
import { destinationOf } from "./destination.js";
import { transportOf } from "./dispatch.js";
import { type Driver, defaultDriver } from "./driver.js";
import { type Egress, openEgress } from "./egress.js";
import { GrpcCaller } from "./grpc.js";
import { callHttp } from "./http.js";
import { HttpPools } from "./http-pools.js";
import { TargetCache } from "./http-target.js";
import { callJsonRpc } from "./json-rpc.js";
import type { Invocation, Participants } from "./participant.js";

export interface ParticipantSettings {
  /** IS_DOCKER: localhost in a URL means the container's host (protocol.md 3.2). */
  readonly isDocker: boolean;
  /** GrpcServiceConfig, JSON text. */
  readonly grpcServiceConfig: string;
  readonly driver: Driver;
  readonly egress: Egress;
  readonly socketsPerOrigin: number;
  readonly connectTimeoutMs: number;
  /** Origins, and as many gRPC targets, that connections are kept to; idle ones beyond it are closed first. */
  readonly destinationsBound: number;
  /** Connections to a place that nobody called for one to two of these are closed. */
  readonly sweepMs: number;
}

export const DEFAULT_PARTICIPANT_SETTINGS: ParticipantSettings = {
  isDocker: false,
  grpcServiceConfig: '{"loadBalancingConfig":[{"round_robin":{}}]}',
  driver: defaultDriver,
  egress: openEgress,
  socketsPerOrigin: 1_024,
  connectTimeoutMs: 5_000,
  destinationsBound: 1_024,
  sweepMs: 150_000,
};

export function openParticipants(settings: Partial<ParticipantSettings> = {}): Participants {
  return new Outbound({ ...DEFAULT_PARTICIPANT_SETTINGS, ...settings });
}

class Outbound implements Participants {
  readonly #settings: ParticipantSettings;
  readonly #targets: TargetCache;
  readonly #http: { readonly pools: HttpPools; readonly egress: Egress };
  readonly #grpc: GrpcCaller;
  #closed = false;

  constructor(settings: ParticipantSettings) {
    const { egress, driver, sweepMs, isDocker } = settings;
    this.#settings = settings;
    this.#targets = new TargetCache((url) => (isDocker ? toDockerHost(driver.httpUrl(url)) : driver.httpUrl(url)));
    this.#http = { egress, pools: new HttpPools({ ...settings, originsBound: settings.destinationsBound }) };
    this.#grpc = new GrpcCaller({
      egress,
      serviceConfig: settings.grpcServiceConfig,
      targetsBound: settings.destinationsBound,
      sweepMs,
    });
  }

  destinationOf(branch: Pick<Invocation, "url" | "protocol">): string {
    return destinationOf(branch, { targets: this.#targets, driver: this.#settings.driver });
  }

  async call(invocation: Invocation): Promise<Outcome> {
    if (this.#closed) return { kind: "unknown", message: "not called: the server has stopped" };
    try {
      return await this.#dispatch(invocation);
    } catch (cause) {
      return { kind: "unknown", message: `not called: ${cause instanceof Error ? cause.message : String(cause)}` };
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#grpc.close();
    await this.#http.pools.close();
  }

  #dispatch(invocation: Invocation): Outcome | Promise<Outcome> {
    const { driver, isDocker } = this.#settings;
    const transport = transportOf(invocation);
    switch (transport) {
      case "http":
      case "json-rpc": {
        const target = this.#targets.get(invocation.url);
        if ("error" in target) return { kind: "unknown", message: target.error };
        return (transport === "http" ? callHttp : callJsonRpc)(this.#http, target, invocation);
      }
      case "grpc": {
        const address = driver.splitGrpc(isDocker ? toDockerHost(invocation.url) : invocation.url);
        if ("error" in address) return { kind: "unknown", message: address.error };
        return this.#grpc.call(address, invocation);
      }
    }
  }
}
