/** Reading a request's body to a limit (R17), and getting rid of one that nobody will read. */
import type { IncomingMessage } from "node:http";

export const BODY_LIMIT = 4 * 1024 * 1024;

/** How long a client may go on sending what was refused before its connection is cut. */
const DRAIN_MS = 2_000;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * `too large`: told by its length before a byte is read, or once the limit is passed. `gone`: the client left before its request
 * was whole, so nothing is done and nobody answered.
 */
export type Body = Buffer | "too large" | "gone";

export function readBody(request: IncomingMessage): Promise<Body> {
  return new Promise((resolve) => {
    if (announcesTooMuch(request)) {
      resolve("too large");
      return;
    }
    let first: Buffer = NOTHING;
    let more: Buffer[] | null = null;
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > BODY_LIMIT) {
        request.off("data", take);
        more = null;
        resolve("too large");
      } else if (size === chunk.length) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
    };
    request.on("data", take);
    request.on("end", () => resolve(more === null ? first : Buffer.concat(more, size)));
    request.on("close", () => resolve("gone"));
  });
}

export function announcesTooMuch(request: IncomingMessage): boolean {
  return Number(request.headers["content-length"] ?? 0) > BODY_LIMIT;
}

/**
 * Throws away what still comes, so that the client can read its answer: closing at once would reset the connection under it. Who
 * sends on for too long is cut off.
 */
export function discard(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), DRAIN_MS);
  timer.unref();
  request.once("close", () => clearTimeout(timer));
}
