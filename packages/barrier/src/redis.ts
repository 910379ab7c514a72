/**
 * The barrier of Redis (protocol.md 6.3): a balance is changed once for all deliveries of a branch call, in one script.
 *
 * ```ts
 * app.post("/debit", branchHandler(debit, ({ amount }) => barrier.adjustAmount(redis, "account:1", -amount)));
 * app.post("/debit-undo", branchHandler(debit, ({ amount }) => barrier.adjustAmount(redis, "account:1", amount)));
 * ```
 */
import { randomBytes } from "node:crypto";
import { DtmError, Failure, MSG_BRANCH } from "@dtm/protocol";
import { decide, inCall, type RunOptions, type RunResult, settle } from "./barrier.js";
import type { Inserted } from "./judge.js";

export type { RunOptions, RunResult } from "./barrier.js";

/** A client, or a Cluster, of `ioredis`. */
export interface IoredisLike {
  eval(script: string, keyCount: number, ...keysAndValues: (string | number)[]): Promise<unknown>;
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): unknown;
}

/** A client, or a cluster, of `redis` (node-redis). */
export interface NodeRedisLike {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  readonly isOpen: boolean;
}

/** A client of ioredis or of node-redis, also one of a Cluster. */
export type RedisLike = IoredisLike | NodeRedisLike;

/** Options of a guarded change in Redis. */
export interface RedisRunOptions extends RunOptions, RedisExpiry {}

/** How long the barrier remembers a call in Redis. */
export interface RedisExpiry {
  /**
   * How long the barrier's keys live, in seconds, at least 1; default 604,800 (7 days). Longer than the coordinator ever retries: a call that
   * comes after them is taken for a new one.
   */
  readonly expireSeconds?: number;
}

/** Options of `queryPrepared` in Redis. */
export interface RedisQueryPreparedOptions extends RedisExpiry, Pick<RunOptions, "branch"> {}

const EXPIRE_SECONDS = 7 * 86_400;

/**
 * KEYS: the balance, the call's own key, and for an undo its origin's key. ARGV: the amount, the expiry in seconds, the attempt's token.
 * Replies `{"DUPLICATE"}`, `{"EMPTY"}` (an undo without its origin), `{"FAILURE"}` or `{"RUN", new balance}`.
 *
 * Whether the call is a repeated one is asked first: a repeated debit must not be refused because the first one emptied the account. INCRBY is
 * the first to write, since it can fail (an overflow, a balance that isn't a whole number), and nothing of a script is taken back.
 *
 * ioredis sends a command again by itself where the connection was lost before the reply. The script knows such an attempt by its token and
 * replies as it did, so the own key holds `op <token> <new balance, or EMPTY>`. Services in other languages, which write `op`, only ask
 * whether there is a value, and whether it is `rollback`. Without its format a large balance would be written as 1e+15.
 */
const ADJUST = `
local own = redis.call('GET', KEYS[2])
if own then
  local token, result = string.match(own, '^op (%S+) (%S+)$')
  if token ~= ARGV[3] then
    return {'DUPLICATE'}
  end
  if result == 'EMPTY' then
    return {'EMPTY'}
  end
  return {'RUN', result}
end
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[2], 'op ' .. ARGV[3] .. ' EMPTY', 'EX', ARGV[2])
  redis.call('SET', KEYS[3], 'rollback', 'EX', ARGV[2])
  return {'EMPTY'}
end
local balance = redis.call('GET', KEYS[1])
if balance == false or balance + ARGV[1] < 0 then
  return {'FAILURE'}
end
local after = string.format('%.0f', redis.call('INCRBY', KEYS[1], ARGV[1]))
redis.call('SET', KEYS[2], 'op ' .. ARGV[3] .. ' ' .. after, 'EX', ARGV[2])
return {'RUN', after}
`;

/** KEYS: the message's own key. ARGV: the expiry in seconds. Replies its value, which is `rollback` if it had none. */
const QUERY_PREPARED = `
local value = redis.call('GET', KEYS[1])
if value == false then
  value = 'rollback'
  redis.call('SET', KEYS[1], value, 'EX', ARGV[1])
end
return value
`;

/** The barrier for Redis: changes a balance once for all deliveries of a branch call, and answers for messages. */
export const barrier = {
  /**
   * Adds `amount` (negative to subtract) to the whole number at `key`, once for all deliveries of the branch call. Shares its keys with
   * services in other languages.
   *
   * In a Redis Cluster all keys of a call must be in one slot: put the same hash tag into the gid and into `key`, `{account-1}` for example.
   *
   * @returns The new balance, or that nothing was to be done: seen before, overtaken by its undo, or nothing to undo.
   * @throws Failure when there is no such key or the balance would become negative (of a compensation, this is asked again for ever, so
   * credit in the action what its compensation takes back only if it can't be spent before); DtmError WRONG_DRIVER, NOT_IN_BRANCH,
   * OPTION_INVALID (also for a key or an amount that is none), BARRIER_ID_REUSED, KEYS_IN_OTHER_SLOTS, or DUPLICATED for a message that was
   * decided before. Nothing was changed then.
   */
  adjustAmount: (client: RedisLike, key: string, amount: number, options: RedisRunOptions = {}): Promise<RunResult<number>> =>
    inCall(options, () => adjust(client, { key, amount }, options)),

  /**
   * Answers the coordinator's question about a message whose local transaction was an {@link barrier.adjustAmount}: returns when it took place,
   * and otherwise makes sure that it never will.
   *
   * @throws Failure when it didn't take place; DtmError as {@link barrier.adjustAmount}.
   */
  queryPrepared: (client: RedisLike, options: RedisQueryPreparedOptions = {}): Promise<void> =>
    inCall(options, () => answerFor(client, options)),
};

interface Adjustment {
  readonly key: string;
  readonly amount: number;
}

async function adjust(client: RedisLike, { key, amount }: Adjustment, options: RedisRunOptions): Promise<RunResult<number>> {
  requireKey(key);
  if (!Number.isSafeInteger(amount)) {
    throw new DtmError("OPTION_INVALID", `expected the amount to be a safe whole number, found ${String(amount)}`);
  }
  const expiry = expirySeconds(options);
  const guard = settle(options);
  const { branch, id, origin } = guard;
  const own = barrierKey(branch, branch.op, id);
  const keys = origin === null ? [key, own] : [key, own, barrierKey(branch, origin, id)];
  const reply = await evaluate(client, ADJUST, { keys, values: [String(amount), String(expiry), newToken()] });
  const [outcome, after]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  const inserted = insertedOf(outcome);
  if (inserted === null) throw new Failure(`${key} has no balance, or one that adding ${amount} would make negative`);
  if (decide(guard, "redis", inserted) === "skip") return { ran: false, verdict: "skip" };
  return { ran: true, value: Number(after) };
}

async function answerFor(client: RedisLike, options: RedisQueryPreparedOptions): Promise<void> {
  const expiry = expirySeconds(options);
  const { branch } = settle(options);
  const { branchId, op, barrierId } = MSG_BRANCH;
  const keys = [barrierKey({ gid: branch.gid, branchId }, op, barrierId)];
  const value = await evaluate(client, QUERY_PREPARED, { keys, values: [String(expiry)] });
  if (value === "rollback") throw new Failure(`the local transaction of message ${branch.gid} did not take place`);
  if (typeof value !== "string") throw new Error(`expected Redis to answer with the key's value, found ${typeof value}`);
}

/** A balance that isn't there is a refusal for good, so a key that is none mustn't get that far. */
function requireKey(key: unknown): void {
  if (typeof key === "string" && key !== "") return;
  throw new DtmError(
    "OPTION_INVALID",
    `key: expected a text of at least one character, found ${key === "" ? "none" : typeof key}`,
  );
}

/** As dtm's Go SDK names them. */
function barrierKey({ gid, branchId }: { readonly gid: string; readonly branchId: string }, op: string, id: string): string {
  return `${gid}-${branchId}-${op}-${id}`;
}

/** Tells the attempts at one key apart, which are few: 72 random bits. */
function newToken(): string {
  return randomBytes(9).toString("base64url");
}

/** Null for a refusal, which leaves no key. */
function insertedOf(outcome: unknown): Inserted | null {
  switch (outcome) {
    case "DUPLICATE":
      return { own: false, origin: false };
    case "EMPTY":
      return { own: true, origin: true };
    case "RUN":
      return { own: true, origin: false };
    case "FAILURE":
      return null;
    default:
      throw new Error(`expected Redis to answer with the script's outcome, found ${String(outcome)}`);
  }
}

function expirySeconds({ expireSeconds = EXPIRE_SECONDS }: RedisExpiry): number {
  if (Number.isSafeInteger(expireSeconds) && expireSeconds >= 1) return expireSeconds;
  throw new DtmError("OPTION_INVALID", `expected expireSeconds to be a whole number from 1, found ${String(expireSeconds)}`);
}

interface ScriptCall {
  readonly keys: readonly string[];
  readonly values: readonly string[];
}

async function evaluate(client: unknown, script: string, { keys, values }: ScriptCall): Promise<unknown> {
  try {
    if (isIoredis(client)) return await client.eval(script, keys.length, ...keys, ...values);
    if (isNodeRedis(client)) return await client.eval(script, { keys: [...keys], arguments: [...values] });
  } catch (cause) {
    if (!String(cause).includes("CROSSSLOT")) throw cause;
    throw new DtmError(
      "KEYS_IN_OTHER_SLOTS",
      `expected ${keys.join(", ")} to be in one slot of the cluster: put the same hash tag, like {account-1}, into the gid and the key`,
      { cause },
    );
  }
  throw new DtmError("WRONG_DRIVER", `expected a client of ioredis or of redis, found ${describe(client)}`);
}

function isIoredis(client: unknown): client is IoredisLike {
  return hasMethod(client, "eval") && hasMethod(client, "defineCommand");
}

function isNodeRedis(client: unknown): client is NodeRedisLike {
  return hasMethod(client, "eval") && hasMethod(client, "sendCommand") && !hasMethod(client, "defineCommand");
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function";
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? `an object of class ${value.constructor?.name ?? "none"}` : String(value);
}
