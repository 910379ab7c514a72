/**
 * What stands beside dtmgimp.Dtm: server reflection, which grpcurl lists methods by, and the standard health service, which
 * orchestrators probe. Health is open to everybody like the probes that ask it, who carry no token and learn one word;
 * reflection is for operators (R24).
 */
import { reflectionPackage } from "@dtm/protocol";
import {
  type Server,
  type ServerDuplexStream,
  status as Status,
  type sendUnaryData,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, service as healthService } from "grpc-health-check";
import type { Refusal } from "../../engine/refusal.js";
import type { AccessRules, Exposure } from "../http/access.js";
import { toGrpcStatus } from "./errors.js";
import { admitCall } from "./service.js";

const DTM = "dtmgimp.Dtm";
const HEALTH = "grpc.health.v1.Health";

/** Both kinds of stream as far as they matter here; a unary call comes with a callback. */
type Call = Pick<ServerDuplexStream<unknown, unknown>, "metadata" | "emit" | "once">;
type Handler = (call: Call, callback?: sendUnaryData<unknown>) => void;
type Admit = (call: Call) => Refusal | null;

export class Companions {
  readonly #health = new HealthImplementation({ "": "SERVING", [DTM]: "SERVING" });
  readonly #streams = new Set<Call>();

  addTo(server: Pick<Server, "addService">, rules: AccessRules): void {
    const admitting =
      (exposure: Exposure): Admit =>
      (call) =>
        admitCall(call.metadata, exposure, rules);
    this.#health.addToServer(this.#guarding(server, admitting("probe")));
    const reflection = new ReflectionService(described(), { services: [DTM, HEALTH] });
    reflection.addToServer(this.#guarding(server, admitting("operator")));
  }

  /** A watched health or an idle reflection stream would hold up a graceful stop until its deadline. */
  stop(): void {
    for (const service of ["", DTM]) this.#health.setStatus(service, "NOT_SERVING");
    for (const stream of this.#streams) stream.emit("error", { code: Status.UNAVAILABLE, details: "the server is stopping" });
  }

  #guarding(server: Pick<Server, "addService">, admit: Admit): Pick<Server, "addService"> {
    return {
      addService: (definition, handlers) => {
        const guarded = Object.entries(handlers).map(([name, handler]) => [name, this.#guard(handler, admit)]);
        server.addService(definition, Object.fromEntries(guarded));
      },
    };
  }

  #guard(untyped: UntypedHandleCall, admit: Admit): Handler {
    const handler = untyped as Handler;
    return (call, callback) => {
      const refusal = admit(call);
      if (refusal !== null) {
        if (callback === undefined) call.emit("error", toGrpcStatus(refusal));
        else callback(toGrpcStatus(refusal));
        return;
      }
      if (callback === undefined) {
        this.#streams.add(call);
        // grpc-js says so once, however the stream ended.
        call.once("cancelled", () => this.#streams.delete(call));
      }
      handler(call, callback);
    };
  }
}

/** @grpc/reflection reads nothing but the descriptors. */
function described(): ConstructorParameters<typeof ReflectionService>[0] {
  const { fileDescriptorProtos } = reflectionPackage().files;
  const health = Object.values(healthService).flatMap((method) => method.requestType.fileDescriptorProtos);
  return {
    files: {
      format: "Protocol Buffer 3 EnumDescriptorProto",
      type: {},
      fileDescriptorProtos: [...fileDescriptorProtos, ...health],
    },
  };
}
