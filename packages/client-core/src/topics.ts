import { DtmError, TOPIC_PREFIX } from "@dtm/protocol";
import { describe, isBranchUrl, isMethodAddress, urlOf } from "./address.js";
import type { Coordinator } from "./coordinator.js";
import { type CallOptions, onlyCall } from "./options.js";

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
   * @throws DtmError COORDINATOR_REFUSED when the address is subscribed already; STEP_INVALID for one that nobody can call, or another topic.
   */
  async subscribe(topic: string, url: string | { readonly url: string }, remark = "", options: CallOptions = {}): Promise<void> {
    const change = { kind: "subscribe", topic: named(topic), url: subscriber(url), remark: text(remark) } as const;
    await this.#coordinator.changeTopic(change, onlyCall(options));
  }

  /** @throws DtmError COORDINATOR_REFUSED when there is no such topic or subscriber. */
  async unsubscribe(topic: string, url: string | { readonly url: string }, options: CallOptions = {}): Promise<void> {
    await this.#coordinator.changeTopic({ kind: "unsubscribe", topic: named(topic), url: urlOf(url, "url") }, onlyCall(options));
  }

  /** @throws DtmError COORDINATOR_REFUSED when there is no such topic. */
  async delete(topic: string, options: CallOptions = {}): Promise<void> {
    await this.#coordinator.changeTopic({ kind: "delete", topic: named(topic) }, onlyCall(options));
  }
}

function named(topic: unknown): string {
  if (typeof topic === "string" && topic !== "") return topic;
  throw new DtmError("OPTION_INVALID", `topic: expected a name, found ${describe(topic)}`);
}

/** Whoever may publish: a topic has subscribers over HTTP and over gRPC, whatever the client is that makes it. */
function subscriber(address: unknown): string {
  const url = urlOf(address, "url");
  if (isBranchUrl(url) || isMethodAddress(url)) return url;
  const found = url.startsWith(TOPIC_PREFIX) ? `the topic ${describe(url)}` : describe(url);
  throw new DtmError(
    "STEP_INVALID",
    `url: expected the address of a service, a URL with its scheme or host:port/package.Service/Method, found ${found}`,
  );
}

function text(remark: unknown): string {
  if (typeof remark === "string") return remark;
  throw new DtmError("OPTION_INVALID", `remark: expected a text, and options after it, found ${describe(remark)}`);
}
