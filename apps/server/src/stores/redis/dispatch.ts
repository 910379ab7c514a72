/**
 * Brings calls to the nodes that have their slots, all calls for one node in one pipeline, and stays with each until its outcome is known
 * or the patience is over (R7). Sending again is safe for every call that comes here: a read, a claim under its own owner, or a write whose
 * journal entry says that it has happened.
 */
import { StoreUnavailable } from "../store.js";
import { connectionTo, type RedisAddress } from "./address.js";
import { messageOf, NotDone, troubleOf } from "./errors.js";
import type { Tag } from "./keys.js";
import { type Command, Link, NotConnected, pause } from "./link.js";
import type { Argument } from "./rows.js";
import type { Script } from "./script.js";
import type { NodeName, Topology } from "./topology.js";
import { NoAnswer, PATIENCE_MS, within } from "./within.js";

export interface Call {
  readonly tag: Tag;
  /** A script with its keys and arguments, or a plain command. */
  readonly script?: Script;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  /** The command, when there is no script; its keys come first. */
  readonly command?: string;
  /** Answered only when so many replicas as asked for have it. */
  readonly durable?: boolean;
}

export interface Replicas {
  readonly count: number;
  readonly withinMs: number;
}

interface Open {
  readonly call: Call;
  readonly place: number;
  /** Redis doesn't know the script's digest. */
  whole: boolean;
  cause: unknown;
  /** It may have happened, though its answer didn't come or too few replicas have it. */
  maybeDone: boolean;
  /** When its outcome became unknown, or Redis could not be reached. */
  since: number | null;
}

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;
/** How long calls wait for a new map of the Cluster before they try the old one again. */
const MAP_MS = 500;

export class Dispatcher {
  readonly #address: RedisAddress;
  readonly #topology: Topology;
  readonly #replicas: Replicas;
  readonly #links = new Map<NodeName, Link>();
  #closed = false;

  constructor(address: RedisAddress, topology: Topology, replicas: Replicas) {
    this.#address = address;
    this.#topology = topology;
    this.#replicas = replicas;
  }

  nodeOf(tag: Tag): NodeName {
    return this.#topology.nodeOf(tag);
  }

  /** One result per call, in order; a StoreUnavailable where the outcome stayed unknown, NotDone where it is certain. */
  async settle(calls: readonly Call[]): Promise<(unknown | StoreUnavailable)[]> {
    const results: unknown[] = calls.map(() => null);
    let open: Open[] = calls.map((call, place) => ({ call, place, whole: false, cause: null, maybeDone: false, since: null }));
    for (let wait = FIRST_PAUSE_MS; open.length > 0; wait = Math.min(LONGEST_PAUSE_MS, wait * 2)) {
      if (this.#closed) return filled(results, open, "the store is closed");
      const left = await Promise.all([...this.#byNode(open)].map(([node, group]) => this.#send(node, group, results)));
      open = left.flat();
      if (open.length === 0) break;
      const over = open.filter((one) => one.cause !== null && performance.now() > this.#patienceEnd(one));
      filled(results, over);
      open = open.filter((one) => !over.includes(one));
      if (open.every(({ whole, cause }) => whole && cause === null)) continue;
      await pause(wait);
      const doubted = new Set(open.map(({ call }) => this.nodeOf(call.tag)));
      await within(MAP_MS, this.#topology.refresh(doubted)).catch(() => undefined);
    }
    return results;
  }

  /** As `settle`, for calls of which one unknown outcome makes all the others useless. */
  async all(calls: readonly Call[]): Promise<readonly unknown[]> {
    const results = await this.settle(calls);
    for (const result of results) if (result instanceof Error) throw result;
    return results;
  }

  async one(call: Call): Promise<unknown> {
    return (await this.all([call]))[0];
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
  }

  #byNode(open: readonly Open[]): Map<NodeName, Open[]> {
    const groups = new Map<NodeName, Open[]>();
    for (const one of open) {
      const node = this.#topology.nodeOf(one.call.tag);
      const group = groups.get(node);
      if (group === undefined) groups.set(node, [one]);
      else group.push(one);
    }
    return groups;
  }

  /** Fills in what is settled and returns what isn't. */
  async #send(node: NodeName, group: readonly Open[], results: unknown[]): Promise<Open[]> {
    const link = this.#linkTo(node);
    const wait = this.#replicas.count > 0 && group.some(({ call }) => call.durable === true);
    const commands = group.map(commandOf);
    if (wait) commands.push(["WAIT", String(this.#replicas.count), String(this.#replicas.withinMs)]);
    const began = performance.now();
    let answers: readonly unknown[];
    try {
      answers = await link.send(commands);
    } catch (cause) {
      for (const one of group) {
        one.cause = cause;
        one.maybeDone ||= !(cause instanceof NotConnected);
      }
      return [...group];
    }
    const reached = wait ? answers[group.length] : null;
    const left: Open[] = [];
    for (const [at, one] of group.entries()) {
      const answer = answers[at];
      if (!(answer instanceof Error)) {
        if (wait && one.call.durable === true && !(typeof reached === "number" && reached >= this.#replicas.count)) {
          one.cause = new Error(`fewer than ${this.#replicas.count} replicas have it (Store.WaitReplicas): ${shown(reached)}`);
          one.maybeDone = true;
          left.push(one);
        } else results[one.place] = answer;
        continue;
      }
      one.cause = answer;
      // The wait for it was part of the patience.
      if (answer instanceof NoAnswer) one.since ??= began;
      switch (troubleOf(answer)) {
        case "script":
          one.whole = true;
          one.cause = null;
          left.push(one);
          break;
        case "elsewhere":
          // A former master, or one that lost its slot: ask again who it is.
          link.drop();
          left.push(one);
          break;
        case "lost":
          one.maybeDone = true;
          left.push(one);
          break;
        case "again":
          left.push(one);
          break;
        case "refused":
          results[one.place] = unavailable(one);
      }
    }
    return left;
  }

  /** While Redis stays away nothing waits longer than the patience, counted from the moment it went. */
  #patienceEnd(one: Open): number {
    one.since ??= performance.now();
    const away = this.#links.get(this.#topology.nodeOf(one.call.tag))?.awaySince ?? one.since;
    return Math.min(away, one.since) + PATIENCE_MS;
  }

  #linkTo(node: NodeName): Link {
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    const link = new Link(() => connectionTo(this.#address, this.#topology.placeOf(node)));
    this.#links.set(node, link);
    return link;
  }
}

function commandOf({ call, whole }: Open): Command {
  const { script, keys, args, command } = call;
  if (script === undefined) return [command ?? "PING", ...keys, ...args];
  const count = String(keys.length);
  return whole ? ["EVAL", script.text, count, ...keys, ...args] : ["EVALSHA", script.sha, count, ...keys, ...args];
}

function filled(results: unknown[], open: readonly Open[], why?: string): unknown[] {
  for (const one of open) results[one.place] = unavailable(one, why);
  return results;
}

function unavailable({ cause, maybeDone }: Open, why = reason(cause)): StoreUnavailable {
  return maybeDone ? new StoreUnavailable(why, { cause }) : new NotDone(why, { cause });
}

function reason(cause: unknown): string {
  const known =
    cause instanceof NotConnected ? "Redis can't be reached" : troubleOf(cause) === "refused" ? "Redis refuses it" : "";
  return `${known === "" ? "what came of this is not known" : known}: ${messageOf(cause)}`;
}

function shown(reached: unknown): string {
  return reached instanceof Error ? reached.message : `${String(reached)} answered in time`;
}
