/** The client of a world: the very code of the HTTP client, with requests that travel in process and its time. */
import { Client } from "@dtm/client-core";
import type { Time } from "@dtm/client-core/internal";
import { type Exchange, HttpTransport } from "@dtm/client-http/internal";

export class KitClient extends Client {
  /** @internal */
  constructor(server: string, exchange: Exchange, time: Time) {
    super(new HttpTransport({ server, headers: {}, exchange }), {}, time);
  }
}
