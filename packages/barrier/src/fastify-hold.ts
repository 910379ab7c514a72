/** Keeps what a handler sends by itself from going out before it has ended: a refusal that it throws afterwards is to be answered. */
import type { EventEmitter } from "node:events";
import { holdEnd } from "./serve-hold.js";

/** What a handler gave to `reply.send`, or to the end of node's own response. */
export type Sent =
  | { readonly kind: "nothing" }
  /** It waits; `send` lets it go out. */
  | { readonly kind: "held"; send(): unknown }
  /** An error is on its way to the caller. */
  | { readonly kind: "gone" };

/** @returns What ends it, and tells what was sent. */
export function holdReply(reply: { readonly raw: EventEmitter; send(body: string): unknown }): () => Sent {
  const { send } = reply;
  const then: unknown = Reflect.get(reply, "then");
  let sent: Sent = { kind: "nothing" };
  let told: () => void = () => undefined;
  const telling = new Promise<void>((resolve) => {
    told = resolve;
  });
  // Of a response that couldn't be held.
  reply.raw.once("finish", told).once("close", told);
  const releaseRaw = holdEnd(reply.raw, told);
  const restore = (): void => {
    const end = releaseRaw();
    if (end !== null && sent.kind === "nothing") {
      sent = {
        kind: "held",
        send() {
          end();
          return reply;
        },
      };
    }
    Reflect.set(reply, "send", send);
    Reflect.set(reply, "then", then);
  };
  Reflect.set(reply, "send", (...given: unknown[]) => {
    told();
    if (given[0] instanceof Error) {
      // Also Fastify's own, for a handler that takes too long. It is no success, and error handlers send by the same method.
      restore();
      sent = { kind: "gone" };
      return Reflect.apply(send, reply, given);
    }
    // The first one counts, as in Fastify.
    if (sent.kind === "nothing") sent = { kind: "held", send: () => Reflect.apply(send, reply, given) };
    return reply;
  });
  // A reply can be awaited, and returned, until it is out: nobody would get that far.
  Reflect.set(reply, "then", (fulfilled?: () => void) => void telling.then(fulfilled));
  return () => {
    restore();
    return sent;
  };
}
