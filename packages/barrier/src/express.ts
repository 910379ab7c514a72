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
import { httpAnswer, readQuery, report, type ServeOptions, serve } from "./serve.js";
import { type ParseOptions, type RequestLike, readPayload, toPayload } from "./serve-body.js";

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
 * A result whose text contains `FAILURE` or `ONGOING` isn't sent, see `onWarning`. A request that isn't a branch call gets 400 and doesn't
 * reach `handler`.
 *
 * @param address - Gives `handler` the type of its payload; null leaves it to `parse`, or unknown.
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
  return async (request, response) => {
    const served = await serve(
      readQuery(request.originalUrl ?? request.url ?? ""),
      async (call) => handler(toPayload(await readPayload(request), call, options), request, response),
      options,
    );
    if (response.headersSent) {
      // What was written can't be taken back; a connection that breaks is at least no success.
      if (served.kind !== "success" && !response.writableFinished) response.destroy();
      report(new Error("the handler of a branch wrote the response itself: return or throw instead"), null, options);
      return;
    }
    const answer = httpAnswer(served, options);
    // The rest of a body that was too long isn't waited for.
    if (!request.readableEnded && answer.status === 413) response.setHeader("connection", "close");
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
}
