import type { Dispatcher } from "./dispatch.js";
import type { Nodes } from "./nodes.js";

/** Those whose lease lasts, on the clock of the Redis that holds the heartbeats; the others are buried by the same look. */
export async function liveEpochs(dispatcher: Dispatcher, nodes: Nodes): Promise<readonly string[]> {
  return [...nodes.looked(await dispatcher.one(nodes.look())).alive];
}
