/** From the body of a request to the payload of a branch: whether or not the framework's own parser has read it. */
import type { IncomingMessage } from "node:http";
import type { Branch } from "@dtm/protocol";
import { RequestError } from "./serve-result.js";

/** The most that a payload may have, in bytes: 4 MiB, as the coordinator takes. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** A request of node's own, perhaps with the body that some parser left on it. */
export interface RequestLike extends IncomingMessage {
  body?: unknown;
}

/**
 * The payload as the caller sent it, parsed from JSON; undefined when there is none. The wait for a slow sender ends with node's own
 * `server.requestTimeout`.
 *
 * @throws RequestError when it isn't JSON or is too long.
 */
export async function readPayload(request: RequestLike): Promise<unknown> {
  // Some parsers leave {} for a request without a body, Express 4's also for one whose content type isn't theirs: what they left unread is read.
  if (!hasBody(request)) return undefined;
  if (request.readableDidRead === false) return parseJson(await readAll(request));
  const { body } = request;
  if (typeof body === "string" || body instanceof Uint8Array) return parseJson(body);
  if (body !== undefined) return body;
  if (request.readableEnded) {
    throw new Error("the body was read before the branch's handler, by something that left nothing in request.body");
  }
  return parseJson(await readAll(request));
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > MAX_BODY_BYTES) throw new RequestError(413, `expected a body of at most ${MAX_BODY_BYTES} bytes, found more`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** Undefined for an empty text. */
export function parseJson(body: string | Uint8Array): unknown {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RequestError(400, `expected a JSON body: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** How a handler's payload is checked. */
export interface ParseOptions<Payload> {
  /**
   * Makes a payload of what came, or throws: `Failure` refuses it for good, anything else is answered as temporary and asked again.
   * Default: none, what came is trusted to be a `Payload`.
   */
  readonly parse?: (payload: unknown) => Payload;
}

/**
 * Without a parser the type is the caller's promise, declared with the address that both sides import. Phase 2 of XA comes without a payload
 * and does none of the handler's work: it must not fail on that, or the prepared transaction would keep its locks for ever.
 */
export function toPayload<Payload>(value: unknown, { transType, op }: Branch, { parse }: ParseOptions<Payload>): Payload {
  if (transType === "xa" && op !== "action") return (value ?? {}) as Payload;
  return parse === undefined ? (value as Payload) : parse(value);
}
