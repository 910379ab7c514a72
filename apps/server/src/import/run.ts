/**
 * Brings what dtm left in Redis into a store of ours (R28): looks twice whether dtm really stopped, then writes every transaction with its
 * branches in one step each, oldest first, then the topics. What is there already is passed over, so an import can be repeated and goes on
 * where it was. Nothing is ever written or deleted in dtm's Redis.
 */
import { type Branch, isFinal, type Loaded, type Millis } from "../engine/transaction.js";
import { StartError } from "../service.js";
import { type CreateResult, type Store, StoreOverloaded, StoreRejected, StoreUnavailable } from "../stores/store.js";
import { decode, type Stored } from "./decode.js";
import { changedBetween, type Look, look, type Seen, seenFrom } from "./look.js";
import { difference } from "./same.js";
import type { DtmRedis } from "./source.js";
import { importTopics, type TopicTally } from "./topics.js";

export interface ImportParts {
  readonly source: DtmRedis;
  /** Only when there is something to import, and nobody writes to it. Null: look, and say what would be imported. */
  readonly openStore: (() => Promise<Store>) | null;
  /** Take finished transactions too. */
  readonly finished: boolean;
  readonly now: () => Millis;
  /** Between the two looks; longer than dtm's poll of 3 s. */
  readonly pause: () => Promise<void>;
  readonly progress: (done: number, total: number) => void;
  /** Something that isn't imported, or not as it lies there: a line for the operator. */
  readonly trouble: (line: string) => void;
}

export interface Tally {
  readonly unfinished: number;
  readonly finished: number;
  /** There already, the same or what became of it. */
  readonly known: number;
  readonly leftOut: number;
  readonly expired: number;
  readonly troubles: number;
  readonly topics: TopicTally;
}

const BATCH = 500;
/** Of payloads that are written at once: the store's own queue takes 64 MiB. */
const BATCH_BYTES = 16 * 1024 * 1024;
const NAMED = 3;

export async function runImport(parts: ImportParts): Promise<Tally> {
  const { source } = parts;
  const before = await atRest(parts);
  if (before.seen.size === 0 && before.expired === 0) await mustHaveTopics(source);
  const store = (await parts.openStore?.()) ?? null;
  const all = [...before.seen.values()].sort((a, b) => a.createTime - b.createTime);
  const wanted = parts.finished ? all : all.filter(({ finished }) => !finished);
  const run = new Run(parts, store);
  for (let at = 0; at < wanted.length; at += BATCH) {
    await run.batch(wanted.slice(at, at + BATCH));
    parts.progress(Math.min(at + BATCH, wanted.length), wanted.length);
  }
  const topics = await importTopics({ source, store, trouble: (line) => run.trouble(line) });
  if (store !== null) {
    const changed = changedBetween(before, await look(source));
    if (changed.length > 0) run.trouble(`dtm wrote while it was imported: stop it and import again (${named(changed)})`);
  }
  return { ...run.tally(), leftOut: all.length - wanted.length, expired: before.expired, topics };
}

async function atRest({ source, pause }: ImportParts): Promise<Look> {
  const first = await look(source);
  const ended = await source.overhear();
  await pause();
  const isPolled = await ended();
  const second = await look(source);
  const changed = changedBetween(first, second);
  // One whose transactions all wait for later changes nothing, but asks every few seconds.
  if (changed.length > 0 || isPolled)
    throw new StartError(
      `dtm still writes to Redis at ${source.where} (${changed.length > 0 ? named(changed) : "its scripts run"}): stop every dtm server on it, then import. Nothing was imported`,
    );
  return second;
}

/** A dtm that was drained has left its topics. */
async function mustHaveTopics(source: DtmRedis): Promise<void> {
  for await (const page of source.entries()) if (page.length > 0) return;
  throw new StartError(
    `Redis at ${source.where} has nothing of dtm's under the prefix ${source.prefix}: name dtm's own with --prefix (its Store.RedisPrefix)`,
  );
}

function named(gids: readonly string[]): string {
  const more = gids.length > NAMED ? ` and ${gids.length - NAMED} more` : "";
  return `${gids.slice(0, NAMED).map(shown).join(", ")}${more}`;
}

class Run {
  readonly #parts: ImportParts;
  readonly #store: Store | null;
  #unfinished = 0;
  #finished = 0;
  #known = 0;
  #troubles = 0;

  constructor(parts: ImportParts, store: Store | null) {
    this.#parts = parts;
    this.#store = store;
  }

  async batch(wanted: readonly Seen[]): Promise<void> {
    const marks = new Map(wanted.map(({ gid, mark }) => [gid, mark]));
    const readable: Loaded[] = [];
    for (const stored of await this.#parts.source.read(wanted.map(({ gid }) => gid))) {
      const { gid } = stored;
      if (hasMoved(stored, marks.get(gid))) {
        this.trouble(`not imported: ${shown(gid)} was changed or removed in Redis meanwhile`);
        continue;
      }
      const decoded = decode(stored);
      if (decoded.kind === "transaction") readable.push(decoded.loaded);
      else this.trouble(`not imported: ${shown(gid)}: ${decoded.why}`);
    }
    for (const group of bySize(readable)) await Promise.all(group.map((loaded) => this.#write(loaded)));
  }

  trouble(line: string): void {
    this.#troubles++;
    this.#parts.trouble(line);
  }

  tally(): Pick<Tally, "unfinished" | "finished" | "known" | "troubles"> {
    return { unfinished: this.#unfinished, finished: this.#finished, known: this.#known, troubles: this.#troubles };
  }

  /** Retention would take what ended long ago at once, so it counts from now (R30). */
  #kept({ transaction, branches }: Loaded): Loaded {
    const isOver = isFinal(transaction.status);
    return { transaction: isOver ? { ...transaction, updateTime: this.#parts.now() } : transaction, branches };
  }

  async #write(loaded: Loaded): Promise<void> {
    const { gid, status } = loaded.transaction;
    try {
      const result: CreateResult = (await this.#store?.create(this.#kept(loaded))) ?? { kind: "created" };
      if (result.kind === "created") {
        if (isFinal(status)) this.#finished++;
        else this.#unfinished++;
        return;
      }
      const differs = difference(loaded, result.current);
      if (differs === null) this.#known++;
      else this.trouble(`differs, left as it is in the store: ${shown(gid)}: ${differs}`);
    } catch (cause) {
      if (cause instanceof StoreRejected) return this.trouble(`not imported: ${shown(gid)}: ${cause.message}`);
      throw explained(cause);
    }
  }
}

/** Its mark tells every change of dtm; a key may also have expired. */
function hasMoved(stored: Stored, mark: string | undefined): boolean {
  return stored.global === null || seenFrom(stored).mark !== mark;
}

function* bySize(all: readonly Loaded[]): Generator<readonly Loaded[]> {
  let group: Loaded[] = [];
  let bytes = 0;
  for (const loaded of all) {
    const own = loaded.branches.reduce((sum, branch) => sum + sizeOf(branch), 0);
    if (group.length > 0 && bytes + own > BATCH_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(loaded);
    bytes += own;
  }
  if (group.length > 0) yield group;
}

function sizeOf({ payload, url }: Branch): number {
  return payload.length + url.length;
}

/** A store that went away is no reason for a stack: what was answered is there, and the rest comes with the next run. */
function explained(cause: unknown): unknown {
  if (!(cause instanceof StoreUnavailable || cause instanceof StoreOverloaded)) return cause;
  return new StartError(`the store stopped answering: ${cause.message}; import again, it goes on where it was`, { cause });
}

/** Gids are the clients' texts: no line break of theirs may start a line of ours. */
export function shown(gid: string): string {
  const plain = gid.replaceAll(/\p{Cc}/gu, "\ufffd");
  return plain.length > 140 ? `${plain.slice(0, 140)}…` : plain;
}
