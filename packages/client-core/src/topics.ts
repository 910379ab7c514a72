import { DtmError } from "@dtm/protocol";
import { describe, urlOf } from "./address.js";
import type { Coordinator } from "./coordinator.js";
import type { CallOptions } from "./options.js";

/** Topics: one message to many subscribers. A change counts for messages that are sent after it has reached every coordinator. */
export class Topics {
  readonly #coordinator: Coordinator;

  /** @internal */
  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
  }

  /**
   * Adds a subscriber; the topic is created with its first.
   *
   * @param remark - For people who read the list. Default: empty.
   * @throws DtmError COORDINATOR_REFUSED when the address is subscribed already.
   */
  async subscribe(topic: string, url: string | { readonly url: string }, remark = "", options: CallOptions = {}): Promise<void> {
    await this.#coordinator.changeTopic({ kind: "subscribe", topic: named(topic), url: urlOf(url, "url"), remark }, options);
  }

  /** @throws DtmError COORDINATOR_REFUSED when there is no such topic or subscriber. */
  async unsubscribe(topic: string, url: string | { readonly url: string }, options: CallOptions = {}): Promise<void> {
    await this.#coordinator.changeTopic({ kind: "unsubscribe", topic: named(topic), url: urlOf(url, "url") }, options);
  }

  /** @throws DtmError COORDINATOR_REFUSED when there is no such topic. */
  async delete(topic: string, options: CallOptions = {}): Promise<void> {
    await this.#coordinator.changeTopic({ kind: "delete", topic: named(topic) }, options);
  }
}

function named(topic: unknown): string {
  if (typeof topic === "string" && topic !== "") return topic;
  throw new DtmError("OPTION_INVALID", `topic: expected a name, found ${describe(topic)}`);
}
