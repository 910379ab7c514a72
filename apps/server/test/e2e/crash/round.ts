/**
 * One kill -9: customers make transactions, the coordinator dies at a moment drawn from the seed, starts again on its data,
 * and finishes everything. Returns what was broken, in words; nothing is right only when the list is empty.
 */
import type { Bank } from "../kit/bank.js";
import { DtmClient } from "../kit/dtm-client.js";
import { Random } from "../kit/random.js";
import { Server, type ServerOptions } from "../kit/server.js";
import { checkMoney, checkPromises, countEnds, inLanes, openAccounts, waitForTheEnds } from "./checks.js";
import { KINDS, serve } from "./customer.js";
import type { Left } from "./stores.js";

const CUSTOMERS = 400;
const AT_ONCE = 200;
const TIMEOUT_SECONDS = 8;
/** About two answers per customer; the kill comes somewhere among them. */
const LAST_KILL = 700;

export interface Round extends Left {
  readonly seed: number;
  /** Acknowledged, and unknown afterwards. */
  readonly lost: number;
  readonly acknowledged: number;
  readonly ends: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

export async function crashRound(
  banks: { readonly a: Bank; readonly b: Bank },
  seed: number,
  options: ServerOptions & { readonly left: () => Promise<Left> },
): Promise<Round> {
  const random = new Random(seed);
  const accounts = await openAccounts(banks, seed);
  const server = await Server.start(options);
  const client = new DtmClient(server.api);
  const killAfter = random.between(10, LAST_KILL);
  const killDelayMs = random.between(0, 20);

  let answers = 0;
  let reached = (): void => {};
  const timeToKill = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let returned = (): void => {};
  const back = new Promise<void>((resolve) => {
    returned = resolve;
  });
  const answered = (): void => {
    if (++answers === killAfter) setTimeout(reached, killDelayMs);
  };

  const world = { client, banks, accounts, timeoutSeconds: TIMEOUT_SECONDS, back: () => back, answered };
  const work = (index: number) => {
    const own = new Random(seed * 1_000 + index);
    return serve(world, own, { gid: `crash-${seed}-${index}`, kind: own.pick(KINDS) });
  };
  const traffic = inLanes(AT_ONCE, { more: (index) => index < CUSTOMERS, work });
  await Promise.race([timeToKill, traffic]);
  await server.kill();
  const left = await options.left();
  await server.restart();
  returned();
  const records = await traffic;

  const ended = await waitForTheEnds(client, () => server.lastWords);
  const problems = [...(await checkPromises(records, ended, client)), ...(await checkMoney(records, ended, { banks, accounts }))];
  const stopped = await server.stop();
  if (stopped.code !== 0) problems.push(`the graceful stop ended with ${stopped.code ?? stopped.signal}`);
  return {
    seed,
    ...left,
    lost: records.filter(({ gid, acknowledged }) => acknowledged && !ended.has(gid)).length,
    acknowledged: records.filter((record) => record.acknowledged).length,
    ends: countEnds(records, ended),
    problems,
  };
}
