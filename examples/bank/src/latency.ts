/** A bank far away: its answers take longer, some of it on the way in and some on the way out, so that a caller may die in between. */
import type { RequestListener } from "node:http";

export function farAway(bank: RequestListener, latencyMs: number): RequestListener {
  return (request, response) => {
    const inMs = Math.random() * latencyMs;
    const end = response.end;
    response.end = ((...args: unknown[]) => {
      setTimeout(() => Reflect.apply(end, response, args), latencyMs - inMs);
      return response;
    }) as typeof response.end;
    setTimeout(() => bank(request, response), inMs);
  };
}
