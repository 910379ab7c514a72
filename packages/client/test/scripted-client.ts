import type { Transport } from "@dtm/client-core/internal";
import { Client } from "../src/index.js";

/** Over the transport of client-core's tests, whose answers a test writes down. */
export class ScriptedClient extends Client {
  constructor(transport: Transport) {
    super(transport, {});
  }
}
