/**
 * The nine methods of dtmgimp.Dtm (protocol.md 2.1): decode, ask the same commands as every transport, encode. A call that its
 * client gives up goes on here to its end: leaving cancels no transaction (R11).
 */
import { isUtf8 } from "node:buffer";
import { dtmgimp, type Empty } from "@dtm/protocol";
import type { handleUnaryCall, Metadata, MethodDefinition, Server } from "@grpc/grpc-js";
import type { Coordinator, Log, Telemetry, TopicRegistry } from "../../engine/coordinator.js";
import { Refusal } from "../../engine/refusal.js";
import { TransientMap } from "../../engine/transient-map.js";
import { MOST_STEPS } from "../../engine/validate.js";
import { type AccessRules, admit, type Exposure } from "../http/access.js";
import { logRefusal, refusalFrom } from "../http/errors.js";
import { toBranchInput, toTransactionInput } from "./decode.js";
import { toProgressesReply } from "./encode.js";
import { toGrpcStatus } from "./errors.js";
import { fieldsOf } from "./fields.js";

export interface DtmServiceParts {
  readonly coordinator: Coordinator;
  readonly topics: Pick<TopicRegistry, "subscribe" | "unsubscribe" | "deleteTopic">;
  readonly telemetry: Telemetry;
  readonly log: Log;
  readonly rules: AccessRules;
}

export class DtmService {
  /** One per call that has no answer yet. */
  readonly #open = new TransientMap<number, Leave>();
  #calls = 0;

  constructor(private readonly parts: DtmServiceParts) {}

  addTo(server: Pick<Server, "addService">): void {
    const { coordinator, topics } = this.parts;
    const wire = dtmgimp.DtmService;
    const methods = [
      this.#serve("client", wire.newGid, async () => ({ Gid: coordinator.newGid() })),
      this.#serve("client", wire.prepare, (request) => done(coordinator.prepare(toTransactionInput(request)))),
      this.#serve("client", wire.submit, (request) => done(coordinator.submit(toTransactionInput(request)))),
      this.#serve("client", wire.abort, (request) => done(coordinator.abort(toTransactionInput(request)))),
      this.#serve("client", wire.registerBranch, (request) => done(coordinator.registerBranch(toBranchInput(request)))),
      this.#serve("client", wire.prepareWorkflow, async (request) =>
        toProgressesReply(await coordinator.prepareWorkflow(toTransactionInput(request))),
      ),
      this.#serve("operator", wire.subscribe, ({ Topic, URL, Remark }) => done(topics.subscribe(Topic, URL, Remark))),
      this.#serve("operator", wire.unsubscribe, ({ Topic, URL }) => done(topics.unsubscribe(Topic, URL))),
      this.#serve("operator", wire.deleteTopic, ({ Topic }) => done(topics.deleteTopic(Topic))),
    ];
    server.addService(
      Object.fromEntries(methods.map(({ definition }) => [definition.path, definition])),
      Object.fromEntries(methods.map(({ definition, handler }) => [definition.path, handler])),
    );
  }

  /** At the deadline of a stop: who still waits hears why, instead of a connection that breaks (R11). */
  leave(): void {
    const why = "the server is stopping before there was an answer: what it has stored of the transaction goes on";
    for (const leave of this.#open.values()) leave(new Refusal("UNAVAILABLE", why));
  }

  #serve<Request, Reply>(
    exposure: Exposure,
    wire: MethodDefinition<Request, Reply>,
    ask: (request: Request) => Promise<Reply>,
  ): Served<Reply> {
    const { rules, telemetry, log } = this.parts;
    const api = wire.path.slice(wire.path.lastIndexOf("/") + 1).toLowerCase();
    const answer = async (metadata: Metadata, bytes: Buffer): Promise<Reply> => {
      const refusal = admitCall(metadata, exposure, rules);
      if (refusal !== null) throw refusal;
      return ask(decode(wire, bytes));
    };
    const handler: Served<Reply>["handler"] = (call, callback) => {
      const began = performance.now();
      const number = ++this.#calls;
      const served = (failed: boolean): void => telemetry.served("grpc", api, failed, (performance.now() - began) / 1000);
      const leave = (cause: unknown): void => {
        if (!this.#open.delete(number)) return;
        const refusal = refusalFrom(cause);
        logRefusal(log, refusal, api);
        served(true);
        callback(toGrpcStatus(refusal));
      };
      this.#open.set(number, leave);
      void answer(call.metadata, call.request).then((reply) => {
        if (!this.#open.delete(number)) return;
        served(false);
        callback(null, reply);
      }, leave);
    };
    return { definition: { ...wire, requestSerialize: asBytes, requestDeserialize: asBytes }, handler };
  }
}

type Leave = (cause: unknown) => void;

async function done(work: Promise<void>): Promise<Empty> {
  await work;
  return {};
}

interface Served<Reply> {
  /** The request arrives as bytes: grpc-js answers INTERNAL for what it can't decode, and without a reason. */
  readonly definition: MethodDefinition<Buffer, Reply>;
  readonly handler: handleUnaryCall<Buffer, Reply>;
}

/** The token travels in the metadata under HTTP's name. No browser speaks gRPC, so there is no page to keep out (R23, R24). */
export function admitCall(metadata: Metadata, exposure: Exposure, rules: AccessRules): Refusal | null {
  const authorization = metadata.get("authorization")[0]?.toString();
  return admit({ exposure, authorization, host: undefined, origin: undefined, fetchSite: undefined }, rules);
}

/** Twice what a transaction may have of steps, which is the most that one message repeats. */
const MOST_FIELDS = 2 * MOST_STEPS;

function decode<Request, Reply>(wire: MethodDefinition<Request, Reply>, bytes: Buffer): Request {
  const fields = fieldsOf(bytes, MOST_FIELDS);
  if (fields === "too many")
    throw new Refusal("INVALID_INPUT", `a request has at most ${MOST_FIELDS} fields, a transaction ${MOST_STEPS} payloads`);
  try {
    if (fields === "broken") throw new Error("it has a field that proto3 has not, or one that ends behind the message");
    const request = wire.requestDeserialize(bytes);
    if (!isUtf8(bytes) && !bytes.includes(REPLACED) && holdsReplaced(request))
      throw new Error("string field contains invalid UTF-8");
    return request;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal("UNPARSABLE", `the request is not the message of ${wire.path}: ${why}`, { cause });
  }
}

/** What the decoder makes of a byte that is no text: two gids that differ in such bytes alone would be one. */
const REPLACED = "\ufffd";

function holdsReplaced(value: unknown): boolean {
  if (typeof value === "string") return value.includes(REPLACED);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  return Object.entries(value).some(([key, held]) => key.includes(REPLACED) || holdsReplaced(held));
}

function asBytes(bytes: Buffer): Buffer {
  return bytes;
}
