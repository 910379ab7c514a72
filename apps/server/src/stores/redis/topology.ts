/** Which node has a slot: always the same one without a Cluster, else what the Cluster's own map says, read again when it was wrong. */

import type { Redis } from "ioredis";
import { connectionTo, type RedisAddress } from "./address.js";
import { messageOf, RedisUnusable } from "./errors.js";
import type { HostPort } from "./hosts.js";
import { type Keys, TAGS, type Tag } from "./keys.js";
import { within } from "./within.js";

/** `host:port`; "" for the only one. */
export type NodeName = string;

/** A map that was just read is not read again. */
const FRESH_MS = 100;
/** What each node gets to tell the map: the others know it too. */
const TELL_MS = 1_500;

export class Topology {
  readonly #address: RedisAddress;
  readonly #keys: Keys;
  #cluster = false;
  #nodes = new Map<Tag, NodeName>();
  #places = new Map<NodeName, HostPort>();
  #refreshed = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;

  constructor(address: RedisAddress, keys: Keys) {
    this.#address = address;
    this.#keys = keys;
  }

  nodeOf(tag: Tag): NodeName {
    return this.#nodes.get(tag) ?? "";
  }

  placeOf(node: NodeName): HostPort | null {
    return this.#places.get(node) ?? null;
  }

  /** One tag of each node that has any. */
  oneTagEach(): readonly Tag[] {
    const tags = new Map(TAGS.map((tag) => [this.nodeOf(tag), tag]));
    return [...tags.values()];
  }

  /** From here on it is a Cluster. */
  async useCluster(): Promise<void> {
    this.#cluster = true;
    await this.refresh();
  }

  /**
   * Rejects when no node could tell; the old map stays. Doubted nodes are asked last: a master that was cut off from the others goes on
   * telling that the slots are its own.
   */
  refresh(doubted: ReadonlySet<NodeName> = new Set()): Promise<void> {
    if (!this.#cluster || performance.now() - this.#refreshed < FRESH_MS) return Promise.resolve();
    this.#refreshing ??= this.#read(doubted).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #read(doubted: ReadonlySet<NodeName>): Promise<void> {
    let last: unknown = null;
    const places = [...this.#places.values(), ...this.#address.hosts];
    const isDoubted = (place: HostPort): boolean => doubted.has(nameOf(place));
    for (const place of [...places.filter((one) => !isDoubted(one)), ...places.filter(isDoubted)]) {
      const redis = connectionTo(this.#address, place);
      redis.on("error", (cause: unknown) => {
        last = cause;
      });
      try {
        this.#use(await within(TELL_MS, told(redis)), place);
        this.#refreshed = performance.now();
        return;
      } catch (cause) {
        last ??= cause;
      } finally {
        redis.disconnect();
      }
    }
    throw new RedisUnusable(`no node of the Redis Cluster says where its slots are: ${messageOf(last)}`, { cause: last });
  }

  #use(slots: unknown, asked: HostPort): void {
    const ranges = Array.isArray(slots) ? slots.flatMap((range) => rangeFrom(range, asked)) : [];
    const nodes = new Map<Tag, NodeName>();
    const places = new Map<NodeName, HostPort>();
    for (const tag of TAGS) {
      const slot = slotOf(`${this.#keys.prefix}:${tag}`);
      const range = ranges.find(({ from, to }) => from <= slot && slot <= to);
      if (range === undefined)
        throw new RedisUnusable(`the Redis Cluster has no node for slot ${slot}: its slots aren't covered`);
      const name = nameOf(range.place);
      nodes.set(tag, name);
      places.set(name, range.place);
    }
    this.#nodes = nodes;
    this.#places = places;
  }
}

function nameOf({ host, port }: HostPort): NodeName {
  return `${host}:${port}`;
}

async function told(redis: Redis): Promise<unknown> {
  await redis.connect();
  return redis.call("CLUSTER", "SLOTS");
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly place: HostPort;
}

/** A master that doesn't know its own address means the one that we asked it under. */
function rangeFrom(range: unknown, asked: HostPort): Range[] {
  if (!Array.isArray(range) || !Array.isArray(range[2])) return [];
  const [host, port] = range[2] as unknown[];
  const known = typeof host === "string" && host !== "" && host !== "?";
  return [{ from: Number(range[0]), to: Number(range[1]), place: { host: known ? host : asked.host, port: Number(port) } }];
}

/** CRC-16 (XMODEM) of what stands in the braces, as every Cluster computes it. */
export function slotOf(hashTag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % 16_384;
}
