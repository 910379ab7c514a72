/**
 * How a branch that Nest serves answers by itself, before the application's interceptors and filters get to see how it ended: one that makes a
 * value of every error would make a success of a refusal. Knows the responses of Express and Fastify and the calls of grpc-js; nest.ts says
 * what the answer is.
 */
import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import type { GrpcStatus } from "./grpc.js";
import type { HttpAnswer } from "./serve.js";

/** What Express and Fastify have under the same names. Fastify keeps node's own response in `raw`, Express's is one. */
export interface ResponseLike {
  readonly raw?: ServerResponse;
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/** A response that only its branch answers. */
export interface OwnResponse {
  /**
   * Writes the answer and waits until it is out.
   *
   * @throws Error when it can't be written, as somebody had written before; the connection is broken off then, unless both are successes.
   */
  answer(answer: HttpAnswer): Promise<void>;
}

/** What Nest, its adapters and an application's interceptors answer with. */
const ANSWERING = ["send", "json", "end"] as const;
/** What throws on a response that has gone. */
const HEADERS = ["setHeader", "appendHeader", "removeHeader"] as const;

/**
 * Keeps everybody else from answering, from the start of the branch on: an interceptor of the application may give up waiting for it, or make
 * something else of how it ended, and Nest would send that. The headers stay open until the answer is out.
 */
export function takeResponse(response: ResponseLike): OwnResponse {
  const raw = response.raw ?? (response as unknown as ServerResponse);
  const both = new Set<object>([response, raw]);
  const open = silence(both, ANSWERING);
  // Hooks of Fastify and compression let it wait; the caller may also have gone before.
  const out = new Promise<void>((resolve) => {
    if (raw.destroyed) resolve();
    for (const event of ["finish", "close"]) raw.once(event, resolve);
  });
  return {
    async answer(answer) {
      // What Fastify answers when a hook of the application's fails is to get through.
      open();
      try {
        if (raw.headersSent) throw new Error("something else wrote the response of a branch: return or throw instead");
        writeAnswer(answer, response);
        await out;
      } catch (cause) {
        // What was written can't be taken back, but a connection that breaks is no success, and nobody waits at it.
        const isSuccess = answer.status === 200 && raw.headersSent && raw.statusCode === 200;
        if (!isSuccess && !raw.writableFinished) raw.destroy();
        throw cause;
      } finally {
        silence(both, [...ANSWERING, ...HEADERS]);
      }
    },
  };
}

export function writeAnswer({ status, headers, body }: HttpAnswer, response: ResponseLike): void {
  response.status(status);
  for (const [name, value] of Object.entries(headers)) response.header(name, value);
  response.send(body);
}

/** Makes methods do nothing; what it returns makes them what they were. */
function silence(targets: Iterable<object>, names: readonly string[]): () => void {
  const methods: { readonly target: object; readonly name: string; readonly method: unknown }[] = [];
  for (const target of targets) {
    for (const name of names) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") continue;
      methods.push({ target, name, method });
      Reflect.set(target, name, () => target);
    }
  }
  return () => {
    for (const { target, name, method } of methods) Reflect.set(target, name, method);
  };
}

/**
 * Ends a unary call of grpc-js with a status, and waits until it has gone: what Nest hands to grpc-js afterwards is dropped there. Since 1.10 such
 * a call is a stream, on which an error is the status; false where it isn't, and nothing was sent.
 */
export async function endCall(call: unknown, status: GrpcStatus): Promise<boolean> {
  if (!(call instanceof Writable) || call.listenerCount("error") === 0) return false;
  // Also the caller's own end; nobody waits for the status then.
  if (Reflect.get(call, "cancelled") === true) return true;
  const gone = new Promise((resolve) => call.once("cancelled", resolve));
  call.emit("error", Object.assign(new Error(status.details), status));
  await gone;
  return true;
}
