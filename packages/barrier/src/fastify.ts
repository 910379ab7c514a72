/**
 * Branches served by Fastify:
 *
 * ```ts
 * app.register(branchRoute("/debit", debit, async ({ amount }) => {
 *   await db.transaction((tx) => barrier.run(tx, () => take(tx, amount)));
 * }));
 * ```
 */
import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { type BranchAddress, DtmError } from "@dtm/protocol";
import type { BranchCall } from "./context.js";
import { holdReply } from "./fastify-hold.js";
import {
  branchCallFrom,
  ERROR_TEXT,
  harmless,
  httpAnswer,
  readQuery,
  report,
  reportEarly,
  type ServeOptions,
  serve,
} from "./serve.js";
import { MAX_BODY_BYTES, type ParseOptions, parseJson, toPayload } from "./serve-body.js";
import { forgetBody } from "./serve-hold.js";
import { requireHandler } from "./serve-result.js";

/** A request of Fastify. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly body: unknown;
}

/** A reply of Fastify. */
export interface FastifyReplyLike {
  readonly raw: RawReplyLike;
  readonly sent: boolean;
  readonly statusCode: number;
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/** Node's own response under a reply of Fastify. */
export interface RawReplyLike extends EventEmitter {
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
  removeHeader(name: string): unknown;
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
  destroy(): unknown;
}

/** An instance of Fastify, as a plugin gets it. */
export interface FastifyLike {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    contentType: string,
    options: { parseAs: "buffer"; bodyLimit: number },
    parser: (request: never, body: Buffer, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown;
  route(options: {
    method: string[];
    url: string;
    bodyLimit: number;
    errorHandler: (error: unknown, request: FastifyRequestLike, reply: FastifyReplyLike) => unknown;
    handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>;
  }): unknown;
}

/** Settings of {@link branchRoute}; each has a default. */
export interface BranchRouteOptions<Payload> extends ServeOptions, ParseOptions<Payload> {}

/**
 * A plugin with one route that serves a branch, over GET (a coordinator's call without a payload) and POST. Inside it JSON is parsed by the
 * branch itself, since Fastify's own parser refuses an XA branch's phase 2, which says that it is JSON and has no body; the parsers of the
 * application stay as they are. The prefix of `register` counts.
 *
 * What `handler` returns and throws means the same as in Express: see `branchHandler` of `@dtm/barrier/express`. A body may have up to 4 MiB.
 * A handler that sends `reply` by itself, or ends `reply.raw`, is told to `onError`: what it sent goes out when it has ended, unless it throws.
 * Then the branch answers. What it writes to `reply.raw` before the end can't be held.
 *
 * The route has an error handler of its own, for what fails before the handler (a hook, a body that is too long) and what the handler sends as
 * an error: the application's could make a success of that. Such an error is told to `onError` and answered with its status, or with 500
 * where that would be a success or a verdict.
 *
 * @param path - The route's path, with leading slash.
 * @param _address - Gives `handler` the type of its payload; null leaves it to `parse`, or unknown.
 * @throws DtmError OPTION_INVALID for a path without its slash, and for a handler that is no function, or a generator.
 */
export function branchRoute<
  Payload = unknown,
  Request extends FastifyRequestLike = FastifyRequestLike,
  Reply extends FastifyReplyLike = FastifyReplyLike,
>(
  path: string,
  _address: BranchAddress<Payload> | null,
  handler: (payload: Payload, request: Request, reply: Reply) => unknown,
  options: BranchRouteOptions<Payload> = {},
): (instance: FastifyLike) => Promise<void> {
  requirePath(path);
  requireHandler(handler, options);
  const answerFor = async (request: Request, reply: Reply): Promise<unknown> => {
    const release = holdReply(reply);
    const served = await serve(
      readQuery(request.raw.url ?? ""),
      (call) => handler(toPayload(payloadOf(request.body), call, options), request, reply),
      options,
    );
    const sent = release();
    const { raw } = reply;
    const isOut = raw.headersSent || sent.kind === "gone";
    if (sent.kind !== "nothing" || isOut) reportEarly(served, !isOut, options);
    if (served.kind === "success" && sent.kind === "held") return sent.send();
    if (isOut) {
      // What was written can't be taken back; a connection that breaks is at least no success.
      if (served.kind !== "success" && raw.headersSent && !raw.writableFinished) raw.destroy();
      return reply;
    }
    const answer = httpAnswer(served, options);
    if (reply.sent) {
      // Fastify answers no more for a reply that was hijacked.
      forgetBody(raw);
      raw.writeHead(answer.status, { ...answer.headers });
      return raw.end(answer.body);
    }
    reply.code(answer.status);
    reply.headers({ ...answer.headers });
    return reply.send(answer.body);
  };
  /** Of errors outside the handler, and of those that it sends: an error handler of the application's could make a success of them. */
  const answerError = (error: unknown, request: FastifyRequestLike, reply: FastifyReplyLike): void => {
    report(error, callOf(request), options);
    const { status, body } = refusal(error, reply.statusCode);
    reply.code(status);
    reply.headers({ "content-type": "application/json" });
    reply.send(body);
  };
  return async (instance) => {
    instance.removeAllContentTypeParsers();
    instance.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
      done(null, body),
    );
    instance.route({
      method: ["GET", "POST"],
      url: path,
      bodyLimit: MAX_BODY_BYTES,
      errorHandler: answerError,
      handler: (request, reply) => answerFor(request as Request, reply as Reply),
    });
  };
}

/** A hook of the application may have parsed it, or left none. */
function payloadOf(body: unknown): unknown {
  return body instanceof Uint8Array || typeof body === "string" ? parseJson(body) : (body ?? undefined);
}

function requirePath(path: unknown): void {
  if (typeof path === "string" && (path === "" || path.startsWith("/"))) return;
  const found = typeof path === "string" ? JSON.stringify(path) : path === null ? "null" : typeof path;
  throw new DtmError("OPTION_INVALID", `path: expected a text that begins with a slash, found ${found}`);
}

function callOf({ raw }: FastifyRequestLike): BranchCall | null {
  try {
    return branchCallFrom(readQuery(raw.url ?? ""));
  } catch {
    return null;
  }
}

/**
 * A status that the reply or the error has stays, unless it is a success or one of the verdicts, which only the handler's `Failure` and
 * `Ongoing` give.
 */
function refusal(error: unknown, given: number): { readonly status: number; readonly body: string } {
  const status = [given, ownStatus(error)].find((each) => each >= 400 && each <= 599) ?? 500;
  if (status === 409 || status === 425) return { status: 500, body: JSON.stringify({ message: ERROR_TEXT }) };
  const message = status < 500 && error instanceof Error ? harmless(error.message) : ERROR_TEXT;
  return { status, body: JSON.stringify({ message }) };
}

function ownStatus(error: unknown): number {
  const status: unknown = error instanceof Error ? (Reflect.get(error, "statusCode") ?? Reflect.get(error, "status")) : undefined;
  return typeof status === "number" ? status : 500;
}
