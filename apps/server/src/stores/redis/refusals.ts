/** The words of a Redis that keeps a server from starting: one line each, with the setting and what to do. */
import { tlsTrouble } from "../relational/tls.js";
import { StoreUnavailable } from "../store.js";
import type { RedisAddress } from "./address.js";
import { messageOf, RedisUnusable, troubleOf } from "./errors.js";

export interface StartAddress extends RedisAddress {
  /** Begins every key. */
  readonly prefix: string;
}

/** What Redis refused when it was first used. Other nodes that fail later say less, and rarely. */
export function refusedAtStart(cause: unknown, address: StartAddress): unknown {
  const real = cause instanceof StoreUnavailable ? cause.cause : null;
  if (troubleOf(real) !== "refused") return cause;
  const where = address.hosts.map(({ host, port }) => `${host}:${port}`).join(", ");
  const why = messageOf(real);
  if (isForbidden(why)) return new RedisUnusable(forbidden(where, why, address), { cause });
  if (/\bOOM\b/.test(why))
    return new RedisUnusable(`Redis at ${where} is full and takes no writes: ${why}; raise its maxmemory, or free some`, {
      cause,
    });
  return new RedisUnusable(`Redis at ${where} refuses what is needed: ${why}`, { cause });
}

/** Redis 6 and 7 put it in different words, and in others when a script's command is meant. */
function isForbidden(why: string): boolean {
  return /NOPERM|ACL failure|has no permissions|The user executing the script can't/i.test(why);
}

/** What the store uses, by ACL rules: README.md says it too. */
export const GRANTED =
  "+@hash +@set +@sortedset +evalsha +eval +incrby +exists +pexpire +unlink +time +ping +info +wait +cluster|slots";

function forbidden(where: string, why: string, { user, prefix }: { readonly user: string; readonly prefix: string }): string {
  const name = user === "" ? "default" : user;
  return `Redis at ${where} doesn't let ${name} (Store.User, STORE_USER) do what is needed: ${why}; grant it: ACL SETUSER ${name} ~{${prefix}:* ${GRANTED}`;
}

/** What went wrong while a server was asked what it is. */
export function explained(
  cause: unknown,
  noted: unknown,
  { where, address }: { readonly where: string; readonly address: StartAddress },
): unknown {
  if (cause instanceof RedisUnusable) return cause;
  const real = noted ?? cause;
  const why = messageOf(real);
  if (/WRONGPASS|NOAUTH|invalid password|invalid username|ERR AUTH|no password is set/i.test(why))
    return new RedisUnusable(
      `Redis at ${where} refused the login: ${why}; check Store.User (STORE_USER) and Store.Password (STORE_PASSWORD)`,
      { cause: real },
    );
  if (isForbidden(why)) return new RedisUnusable(forbidden(where, why, address), { cause: real });
  if (troubleOf(real) !== "lost") return new RedisUnusable(`Redis at ${where} can't be used now: ${why}`, { cause: real });
  return new NoRedis(where, why, { cause: real });
}

/** Another host of the list may answer. */
export class NoRedis extends Error {
  override readonly name = "NoRedis";

  constructor(
    readonly where: string,
    readonly why: string,
    options: ErrorOptions,
  ) {
    super(`no Redis answers at ${where}: ${why}`, options);
  }
}

export function nobodyAnswers(silent: readonly NoRedis[]): RedisUnusable {
  for (const { where, why, cause } of silent) {
    const tls = tlsTrouble(`Redis at ${where}`, why);
    if (tls !== null) return new RedisUnusable(tls, { cause });
  }
  const each = silent.map(({ where, why }) => `${where}: ${why}`).join("; ");
  return new RedisUnusable(
    `no Redis answers at ${each}; check Store.Host (STORE_HOST), Store.Port (STORE_PORT) and the TLS settings`,
    { cause: silent.at(-1) },
  );
}
