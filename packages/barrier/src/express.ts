/**
 * Branches served by Express:
 *
 * ```ts
 * app.post("/debit", branchHandler(debit, async ({ amount }) => {
 *   await db.transaction((tx) => barrier.run(tx, () => take(tx, amount)));
 * }));
 * ```
 *
 * Leave `app.all` in place of `app.post` where a payload may be absent: a coordinator then calls with GET.
 */
import type { ServerResponse } from "node:http";
import type { BranchAddress } from "@dtm/protocol";
import { httpAnswer, readQuery, report, reportEarly, type Served, type ServeOptions, serve } from "./serve.js";
import { type ParseOptions, type RequestLike, readPayload, toPayload } from "./serve-body.js";
import { forgetBody, holdEnd } from "./serve-hold.js";
import { requireHandler } from "./serve-result.js";

/** A request of Express, or of anything that hands on node's own. */
export interface ExpressRequestLike extends RequestLike {
  /** The URL before a router took its prefix away. */
  originalUrl?: string;
}

/** Settings of {@link branchHandler}; each has a default. */
export interface BranchHandlerOptions<Payload> extends ServeOptions, ParseOptions<Payload> {}

/**
 * Serves a branch: reads which branch it is from the query and the payload from the body (JSON, up to 4 MiB; `express.json()` before it has
 * lower limits of its own), runs `handler` as that branch, so that barriers in it need no argument, and answers for it.
 *
 * `handler` returns for success: nothing, or a JSON value that becomes the answer's body. It throws `Failure` to have the global transaction
 * rolled back (409), `Ongoing` to be asked again (425); anything else it throws is answered with 500, told to `onError`, and asked again.
 * A result whose text contains `FAILURE` or `ONGOING` isn't sent, see `onWarning`. A `Response` of `fetch` is taken at its status, and a generator
 * or a stream is an error: nobody would read it. A request that isn't a branch call gets 400 and doesn't
 * reach `handler`.
 *
 * A handler that ends `response` by itself is told to `onError`: what it sent goes out when it has ended, unless it throws; then the branch
 * answers. What it writes before the end can't be held, nor can a response whose `finish` it waits for, as `pipeline` does: an error after that
 * breaks the connection if it still can, and is told.
 *
 * @param _address - Gives `handler` the type of its payload; null leaves it to `parse`, or unknown.
 * @throws DtmError OPTION_INVALID for a handler that is no function, or a generator.
 */
export function branchHandler<
  Payload = unknown,
  Request extends ExpressRequestLike = ExpressRequestLike,
  Response extends ServerResponse = ServerResponse,
>(
  _address: BranchAddress<Payload> | null,
  handler: (payload: Payload, request: Request, response: Response) => unknown,
  options: BranchHandlerOptions<Payload> = {},
): (request: Request, response: Response) => Promise<void> {
  requireHandler(handler, options);
  return async (request, response) => {
    const release = holdEnd(response);
    let served = await serve(
      readQuery(request.originalUrl ?? request.url ?? ""),
      async (call) => handler(toPayload(await readPayload(request), call, options), request, response),
      options,
    );
    const sendHeld = release();
    const isOut = response.headersSent;
    if (sendHeld !== null || isOut) reportEarly(served, !isOut, options);
    if (served.kind === "success" && sendHeld !== null) served = sendOwn(served, sendHeld, options);
    if (response.headersSent) {
      // What was written can't be taken back; a connection that breaks is at least no success.
      if (served.kind !== "success" && !response.writableFinished) response.destroy();
      return;
    }
    forgetBody(response);
    const answer = httpAnswer(served, options);
    // The rest of a body that was too long isn't waited for.
    if (!request.readableEnded && answer.status === 413) response.setHeader("connection", "close");
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
}

/** What the handler sent goes out now; what can't be sent is an error of the handler, as it would have been at once. */
function sendOwn(served: Served & { readonly kind: "success" }, send: () => unknown, options: ServeOptions): Served {
  try {
    send();
    return served;
  } catch (error) {
    report(error, served.call, options);
    return { kind: "error", call: served.call, error };
  }
}
