/**
 * Keeps a response that a handler ends by itself from going out before the handler has ended: a refusal that it throws afterwards is to be
 * answered. Knows Express's responses and node's own.
 */
import type { EventEmitter } from "node:events";

/** Ends the holding, and gives what was held as a call that lets it go out; null where nothing was. */
export type Release = () => (() => unknown) | null;

/** What ends a response; Express's other ways come down to these. */
const ENDING = ["send", "json", "end"] as const;

/** What a handler may have said of a body that isn't sent. */
const OF_THE_BODY = [
  "content-length",
  "content-encoding",
  "content-disposition",
  "transfer-encoding",
  "etag",
  "last-modified",
] as const;

/**
 * Holds back the end of a response. What is written before its end isn't held; nor is the end of one that somebody waits for by `finish`, as
 * `pipeline` does: he would wait for ever.
 *
 * @param onHeld - Told when the response has been ended and waits.
 */
export function holdEnd(response: EventEmitter, onHeld: () => void = () => undefined): Release {
  let held: (() => unknown) | null = null;
  const methods = ENDING.map((name) => [name, Reflect.get(response, name)] as const).filter(([, it]) => typeof it === "function");
  const restore = (): void => {
    response.off("newListener", onListener);
    for (const [name, method] of methods) Reflect.set(response, name, method);
  };
  const onListener = (event: string | symbol): void => {
    if (event !== "finish") return;
    restore();
    held?.();
    held = null;
  };
  for (const [name, method] of methods) {
    Reflect.set(response, name, (...given: unknown[]) => {
      // The first one counts, as without the holding.
      held ??= () => Reflect.apply(method, response, given.filter(isValue));
      for (const callback of given) if (typeof callback === "function") setImmediate(() => Reflect.apply(callback, response, []));
      onHeld();
      return response;
    });
  }
  response.on("newListener", onListener);
  return () => {
    restore();
    return held;
  };
}

/** A callback is called when its end is held, since the handler may wait for it. */
function isValue(given: unknown): boolean {
  return typeof given !== "function";
}

/** Forgets what a handler said of a body of its own, before another one is sent. */
export function forgetBody(response: { removeHeader(name: string): unknown }): void {
  for (const name of OF_THE_BODY) response.removeHeader(name);
}
