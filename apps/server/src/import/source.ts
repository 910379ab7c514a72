/**
 * dtm's Redis, read only: keys by protocol.md 5.3. All of them lie in one slot, or dtm couldn't have run its scripts on a Cluster, so one
 * connection to the node that has it is enough.
 */
import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { StartError } from "../service.js";
import { connectionTo } from "../stores/redis/address.js";
import { messageOf } from "../stores/redis/errors.js";
import type { HostPort } from "../stores/redis/hosts.js";
import { PATIENCE_MS, within } from "../stores/redis/within.js";
import type { SourceAddress } from "./address.js";
import type { Stored } from "./decode.js";

/** Without its branches. */
export type Head = Omit<Stored, "branches">;

/** Of SCAN: a hint, and how many are read at once. */
const PAGE = 1_000;
const HOPS = 3;
const LISTEN_WITHIN_MS = 3_000;
/** A page of transactions may be large, and dtm's Redis far away. */
const READ_WITHIN_MS = 30_000;

export class DtmRedis {
  readonly #redis: Redis;

  private constructor(
    redis: Redis,
    readonly prefix: string,
    readonly where: string,
  ) {
    this.#redis = redis;
  }

  static async connect(address: SourceAddress, prefix: string): Promise<DtmRedis> {
    let last: unknown = null;
    for (const place of address.hosts) {
      try {
        return await connected(address, prefix, { place, hops: 0 }, (redis, where) => new DtmRedis(redis, prefix, where));
      } catch (cause) {
        if (cause instanceof StartError) throw cause;
        last = cause;
      }
    }
    throw new StartError(messageOf(last), { cause: last });
  }

  close(): void {
    this.#redis.disconnect();
  }

  /**
   * Listens to what others ask of this Redis; the function returned ends that, and tells whether a script of theirs worked on dtm's keys. A
   * login that may not listen hears nothing.
   */
  async overhear(): Promise<() => Promise<boolean>> {
    const monitor = await listening(this.#redis);
    if (monitor === null) return async () => false;
    const last = `dtm-import-${randomBytes(8).toString("hex")}`;
    let heard = false;
    const heardAll = new Promise<void>((resolve) => {
      monitor.on("monitor", (_time: string, [name = "", ...args]: readonly string[]) => {
        heard ||= /^(evalsha|eval)$/i.test(name) && args.some((argument) => argument.startsWith(`${this.prefix}_`));
        if (args[0] === last) resolve();
      });
    });
    return async () => {
      // What was asked before this is told before it.
      await this.#ask([["echo", last]]);
      await within(LISTEN_WITHIN_MS, heardAll).catch(() => undefined);
      monitor.disconnect();
      return heard;
    };
  }

  /** Every gid, page by page; a page of a table that is being written may repeat some. */
  async *gids(): AsyncGenerator<readonly string[]> {
    const start = `${this.prefix}_g_`;
    for await (const keys of this.#scan(start)) yield keys.map((key) => key.slice(start.length));
  }

  /** How many dtm counts as unfinished; those whose transaction has expired included (Q26). */
  async waiting(): Promise<number> {
    return Number((await this.#ask([["zcard", `${this.prefix}_u`]]))[0] ?? 0);
  }

  async heads(gids: readonly string[]): Promise<readonly Head[]> {
    const answers = await this.#ask(gids.flatMap((gid) => this.#head(gid)));
    return gids.map((gid, place) => headFrom(gid, answers.slice(3 * place)));
  }

  async read(gids: readonly string[]): Promise<readonly Stored[]> {
    const answers = await this.#ask(
      gids.flatMap((gid) => [...this.#head(gid), ["lrange", `${this.prefix}_b_${gid}`, "0", "-1"] as const]),
    );
    return gids.map((gid, place) => {
      const branches = answers[4 * place + 3];
      return { ...headFrom(gid, answers.slice(4 * place)), branches: Array.isArray(branches) ? branches.map(String) : [] };
    });
  }

  /** The JSON of every entry of dtm's kv table. */
  async *entries(): AsyncGenerator<readonly string[]> {
    for await (const keys of this.#scan(`${this.prefix}_kv_`)) {
      const values = await this.#ask(keys.map((key) => ["get", key] as const));
      yield values.flatMap((value) => (typeof value === "string" ? [value] : []));
    }
  }

  #head(gid: string): Command[] {
    return [
      ["get", `${this.prefix}_g_${gid}`],
      ["get", `${this.prefix}_s_${gid}`],
      ["zscore", `${this.prefix}_u`, gid],
    ];
  }

  async *#scan(start: string): AsyncGenerator<readonly string[]> {
    const pattern = `${start.replaceAll(/[\\*?[\]]/g, "\\$&")}*`;
    let cursor = "0";
    do {
      const [answer] = await this.#ask([["scan", cursor, "MATCH", pattern, "COUNT", String(PAGE)]]);
      if (!Array.isArray(answer)) return;
      cursor = String(answer[0]);
      const keys: unknown = answer[1];
      if (Array.isArray(keys) && keys.length > 0) yield keys.map(String);
    } while (cursor !== "0");
  }

  async #ask(commands: readonly Command[]): Promise<readonly unknown[]> {
    if (commands.length === 0) return [];
    const pipeline = this.#redis.pipeline();
    for (const [name, ...args] of commands) pipeline.call(name, ...args);
    try {
      const answers = (await within(READ_WITHIN_MS, pipeline.exec())) ?? [];
      return answers.map(([error, value]) => {
        if (error !== null) throw error;
        return value;
      });
    } catch (cause) {
      throw new StartError(`Redis at ${this.where} stopped answering the import: ${messageOf(cause)}; import again, it goes on`, {
        cause,
      });
    }
  }
}

type Command = readonly [string, ...string[]];

/** Null when it isn't let, or not in time. */
async function listening(redis: Redis): Promise<Redis | null> {
  const opening = redis.monitor();
  return within(LISTEN_WITHIN_MS, opening).catch(() => {
    void opening.then(
      (opened) => opened.disconnect(),
      () => undefined,
    );
    return null;
  });
}

function headFrom(gid: string, [global, status, score]: readonly unknown[]): Head {
  return {
    gid,
    global: typeof global === "string" ? global : null,
    status: typeof status === "string" ? status : null,
    dueSeconds: score === null || score === undefined ? null : Number(score),
  };
}

/** Follows a Cluster to the node that has the prefix's slot. */
async function connected(
  address: SourceAddress,
  prefix: string,
  { place, hops }: { readonly place: HostPort; readonly hops: number },
  opened: (redis: Redis, where: string) => DtmRedis,
): Promise<DtmRedis> {
  const where = `${place.host}:${place.port}`;
  const redis = connectionTo(address, place);
  let noted: unknown = null;
  redis.on("error", (cause: unknown) => {
    noted ??= cause;
  });
  try {
    await within(PATIENCE_MS, reached(redis, address.database, prefix));
    return opened(redis, where);
  } catch (cause) {
    redis.disconnect();
    const why = messageOf(noted ?? cause);
    const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(why) ?? [];
    if (host !== undefined && hops < HOPS) {
      const next = { host: host === "" ? place.host : host, port: Number(port) };
      return connected(address, prefix, { place: next, hops: hops + 1 }, opened);
    }
    throw explained(why, where, noted ?? cause);
  }
}

async function reached(redis: Redis, database: number, prefix: string): Promise<void> {
  await redis.connect();
  if (database !== 0) await redis.select(database);
  await redis.zcard(`${prefix}_u`);
}

function explained(why: string, where: string, cause: unknown): Error {
  if (/WRONGPASS|NOAUTH|invalid password|invalid username|ERR AUTH|no password is set/i.test(why))
    return new StartError(`Redis at ${where} refused the login: ${why}; check the user and password of --from`, { cause });
  if (/^WRONGTYPE/.test(why)) return new StartError(`Redis at ${where} has something else under this prefix: ${why}`, { cause });
  if (cause instanceof Error && cause.name === "ReplyError")
    return new StartError(`Redis at ${where} can't be read: ${why}`, { cause });
  // Another host of the list may answer.
  return new Error(`no Redis answers at ${where}: ${why}; check --from`, { cause });
}
