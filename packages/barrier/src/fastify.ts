/**
 * Branches served by Fastify:
 *
 * ```ts
 * app.register(branchRoute("/debit", debit, async ({ amount }) => {
 *   await db.transaction((tx) => barrier.run(tx, () => take(tx, amount)));
 * }));
 * ```
 */
import type { IncomingMessage } from "node:http";
import type { BranchAddress } from "@dtm/protocol";
import { holdReply } from "./fastify-hold.js";
import { httpAnswer, readQuery, report, type ServeOptions, serve } from "./serve.js";
import { MAX_BODY_BYTES, type ParseOptions, parseJson, toPayload } from "./serve-body.js";

/** A request of Fastify. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly body: unknown;
}

/** A reply of Fastify. */
export interface FastifyReplyLike {
  readonly raw: { readonly headersSent: boolean; readonly writableFinished: boolean; destroy(): unknown };
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
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
 * A handler that sends `reply` by itself is told to `onError`: what it sent goes out when it has ended, unless it throws. Then the branch answers.
 *
 * @param path - The route's path, with leading slash.
 * @param _address - Gives `handler` the type of its payload; null leaves it to `parse`, or unknown.
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
  const answerFor = async (request: Request, reply: Reply): Promise<unknown> => {
    const release = holdReply(reply);
    const served = await serve(
      readQuery(request.raw.url ?? ""),
      (call) => handler(toPayload(payloadOf(request.body), call, options), request, reply),
      options,
    );
    const sent = release();
    const { raw } = reply;
    if (sent.kind !== "nothing" || raw.headersSent) {
      const early = new Error("the response of a branch was written before its handler had ended: return or throw instead");
      report(early, served.kind === "invalid" ? null : served.call, options);
      if (raw.headersSent || sent.kind === "gone") {
        // What was written can't be taken back; a connection that breaks is at least no success.
        if (served.kind !== "success" && raw.headersSent && !raw.writableFinished) raw.destroy();
        return reply;
      }
      if (served.kind === "success" && sent.kind === "held") return sent.send();
    }
    const answer = httpAnswer(served, options);
    reply.code(answer.status);
    reply.headers({ ...answer.headers });
    return reply.send(answer.body);
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
      handler: (request, reply) => answerFor(request as Request, reply as Reply),
    });
  };
}

/** A hook of the application may have parsed it, or left none. */
function payloadOf(body: unknown): unknown {
  return body instanceof Uint8Array || typeof body === "string" ? parseJson(body) : (body ?? undefined);
}
