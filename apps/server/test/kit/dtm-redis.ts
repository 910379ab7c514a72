/** Lays transactions in Redis as dtm does (protocol.md 1.11, 5.3): the JSON that Go makes of its structs, under dtm's keys. */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import type { SourceAddress } from "../../src/import/address.js";
import type { RedisServer } from "./temporary-redis.js";

const WEEK_SECONDS = 604_800;

export interface DtmStep {
  readonly action: string;
  readonly compensate?: string;
}

export interface DtmBranch {
  readonly url: string;
  readonly branch_id: string;
  readonly op: string;
  readonly status: string;
  /** The payload as text. */
  readonly data?: string;
  readonly create_time?: string | null;
  readonly update_time?: string | null;
  readonly finish_time?: string;
}

/** In China, with Go's nine digits. */
export function goTime(millis: number): string {
  return new Date(millis + 8 * 3_600_000).toISOString().replace(/(\.\d{3})Z$/, "$1456789+08:00");
}

export const BORN = Date.UTC(2026, 0, 2, 3, 4, 5, 123);

export function dtmGlobal(fields: { readonly gid: string } & Readonly<Record<string, unknown>>): string {
  const { gid, trans_type = "saga", status = "submitted", ...rest } = fields;
  return JSON.stringify({
    id: 0,
    create_time: goTime(BORN),
    update_time: goTime(BORN),
    gid,
    trans_type,
    status,
    protocol: "http",
    options: '{"concurrent":false}',
    next_cron_interval: 10,
    next_cron_time: goTime(BORN + 10_000),
    concurrent: false,
    ...rest,
  });
}

export function dtmBranch(gid: string, { data, ...fields }: DtmBranch): string {
  const { url, branch_id, op, status, create_time = goTime(BORN), update_time = goTime(BORN), finish_time } = fields;
  const bin_data = data === undefined ? {} : { bin_data: Buffer.from(data).toString("base64") };
  const end = finish_time === undefined ? {} : { finish_time };
  return JSON.stringify({ id: 0, create_time, update_time, gid, url, ...bin_data, branch_id, op, status, ...end });
}

/** The rows of a saga, as `GenBranches` makes them. `done`: how many actions have succeeded. */
export function sagaRows(steps: readonly DtmStep[], payloads: readonly string[], done: number): DtmBranch[] {
  return steps.flatMap(({ action, compensate = "" }, index) => {
    const both = { branch_id: String(index + 1).padStart(2, "0"), data: payloads[index] ?? "" };
    const end = index < done ? { status: "succeed", finish_time: goTime(BORN + 1_000) } : { status: "prepared" };
    return [
      { ...both, url: compensate, op: "compensate", status: "prepared" },
      { ...both, url: action, op: "action", ...end },
    ];
  });
}

export const STEPS: readonly DtmStep[] = [
  { action: "http://a/debit", compensate: "http://a/debit-undo" },
  { action: "http://b/credit", compensate: "http://b/credit-undo" },
];
export const PAYLOADS = ['{"amount":30}', '{"amount":30,"to":"é"}'];

export class DtmRedisWriter {
  readonly redis: Redis;
  readonly prefix: string;
  readonly address: SourceAddress;

  constructor(server: RedisServer, prefix = `{dtm-${randomBytes(6).toString("hex")}}`) {
    const { hosts, user, password } = server.address;
    this.prefix = prefix;
    this.address = { ...server.address, database: 0 };
    const login = { ...(user === "" ? {} : { username: user }), ...(password === "" ? {} : { password }) };
    this.redis = new Redis({ ...hosts[0], ...login });
  }

  /** `dueSeconds`: null for a finished one, which is in no index. */
  async lay(
    gid: string,
    {
      global,
      status,
      branches = [],
      dueSeconds,
    }: {
      readonly global: string;
      readonly status: string;
      readonly branches?: readonly DtmBranch[];
      readonly dueSeconds: number | null;
    },
  ): Promise<void> {
    const commands = this.redis.multi();
    commands.set(`${this.prefix}_g_${gid}`, global, "EX", WEEK_SECONDS);
    commands.set(`${this.prefix}_s_${gid}`, status, "EX", WEEK_SECONDS);
    commands.del(`${this.prefix}_b_${gid}`);
    if (branches.length > 0) {
      commands.rpush(`${this.prefix}_b_${gid}`, ...branches.map((branch) => dtmBranch(gid, branch)));
      commands.expire(`${this.prefix}_b_${gid}`, WEEK_SECONDS);
    }
    if (dueSeconds === null) commands.zrem(`${this.prefix}_u`, gid);
    else commands.zadd(`${this.prefix}_u`, dueSeconds, gid);
    await commands.exec();
  }

  /** `done` of two actions have succeeded; dtm's passes have left no steps in it. */
  async saga(gid: string, { done = 1, dueSeconds = Math.ceil(BORN / 1000) + 10, ...more }: SagaFields = {}): Promise<void> {
    const status = typeof more["status"] === "string" ? more["status"] : "submitted";
    const finished = status === "succeed" || status === "failed";
    await this.lay(gid, {
      global: dtmGlobal({ gid, ...more }),
      status,
      branches: sagaRows(STEPS, PAYLOADS, done),
      dueSeconds: finished ? null : dueSeconds,
    });
  }

  async topic(name: string, urls: readonly string[]): Promise<void> {
    const v = JSON.stringify(urls.map((url) => ({ url, remark: "" })));
    const at = goTime(BORN);
    const json = JSON.stringify({ id: 0, create_time: at, update_time: at, cat: "topics", k: name, v, version: 3 });
    await this.redis.set(`${this.prefix}_kv_topics_${name}`, json);
  }

  /** Everything under the prefix, comparable. */
  async dump(): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    for await (const keys of this.redis.scanStream({ match: `${this.prefix}_*`, count: 1_000 })) {
      for (const key of keys as string[]) found[key] = (await this.redis.dumpBuffer(key))?.toString("base64") ?? "";
    }
    return found;
  }

  async dispose(): Promise<void> {
    const keys = Object.keys(await this.dump());
    if (keys.length > 0) await this.redis.unlink(...keys);
    this.redis.disconnect();
  }
}

export interface SagaFields extends Readonly<Record<string, unknown>> {
  readonly done?: number;
  readonly dueSeconds?: number;
}
