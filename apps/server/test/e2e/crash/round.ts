/**
 * One kill -9: customers make transactions, the coordinator dies at a moment drawn from the seed, starts again on its data,
 * and finishes everything. Returns what was broken, in words; nothing is right only when the list is empty.
 */
import type { Account, Bank } from "../kit/bank.js";
import { DtmClient, type Transaction } from "../kit/dtm-client.js";
import { Random } from "../kit/random.js";
import { Server, type ServerOptions } from "../kit/server.js";
import { until } from "../kit/until.js";
import { KINDS, type Record, serve } from "./customer.js";
import type { Left } from "./stores.js";

const CUSTOMERS = 400;
const AT_ONCE = 200;
/** About two answers per customer; the kill comes somewhere among them. */
const LAST_KILL = 700;
const OPENING = 10_000_000;

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

  const world = { client, banks, accounts, back, answered };
  const traffic = inParallel(CUSTOMERS, AT_ONCE, (index) => {
    const own = new Random(seed * 1_000 + index);
    return serve(world, own, { gid: `crash-${seed}-${index}`, kind: own.pick(KINDS) });
  });
  await Promise.race([timeToKill, traffic]);
  await server.kill();
  const left = await options.left();
  await server.restart();
  returned();
  const records = await traffic;

  const ended = await waitForTheEnds(client, server);
  const problems = [...(await checkPromises(records, ended, client)), ...(await checkMoney(records, ended, { banks, accounts }))];
  const stopped = await server.stop();
  if (stopped.code !== 0) problems.push(`the graceful stop ended with ${stopped.code ?? stopped.signal}`);
  return {
    seed,
    ...left,
    lost: records.filter(({ gid, acknowledged }) => acknowledged && !ended.has(gid)).length,
    acknowledged: records.filter((record) => record.acknowledged).length,
    ends: count(records, ended),
    problems,
  };
}

async function openAccounts(banks: { readonly a: Bank; readonly b: Bank }, seed: number) {
  const from = [0, 1, 2].map((n) => `payer-${seed}-${n}`) as [string, ...string[]];
  const to = [0, 1, 2].map((n) => `payee-${seed}-${n}`) as [string, ...string[]];
  const frozen = `frozen-${seed}`;
  for (const id of from) await banks.a.open(id, { balance: OPENING });
  for (const id of to) await banks.b.open(id, { balance: OPENING });
  await banks.b.open(frozen, { balance: OPENING, frozen: true });
  return { from, to, frozen };
}

async function inParallel<T>(total: number, atOnce: number, work: (index: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < total) results.push(await work(next++));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

function unfinished({ status }: Transaction): boolean {
  return status !== "succeed" && status !== "failed";
}

async function waitForTheEnds(client: DtmClient, server: Server): Promise<ReadonlyMap<string, Transaction>> {
  let open: readonly Transaction[] = [];
  const all = await until(
    "every transaction ends",
    async () => {
      const found = await client.all();
      open = found.filter(unfinished);
      return open.length === 0 ? found : undefined;
    },
    { withinMs: 300_000, everyMs: 200 },
  ).catch((cause: unknown) => {
    const examples = open.slice(0, 5).map(({ gid, trans_type, status }) => `${gid} (${trans_type}, ${status})`);
    throw new Error(`${open.length} transactions didn't end, such as ${examples.join(", ")}\n${server.lastWords}`, { cause });
  });
  return new Map(all.map((transaction) => [transaction.gid, transaction]));
}

async function checkPromises(
  records: readonly Record[],
  ended: ReadonlyMap<string, Transaction>,
  client: DtmClient,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { gid, kind, acknowledged, promised } of records) {
    const status = ended.get(gid)?.status ?? null;
    if (acknowledged && status === null) problems.push(`${gid} (${kind}) was acknowledged and is gone`);
    else if (promised !== null && status !== promised)
      problems.push(`${gid} (${kind}) should have ended as ${promised}, not as ${status}`);
    const { transaction } = await client.query(gid);
    if ((transaction?.status ?? null) !== status)
      problems.push(`${gid} (${kind}) is ${status} in the list and ${transaction?.status} in query`);
  }
  const known = new Set(records.map(({ gid }) => gid));
  for (const gid of ended.keys()) if (!known.has(gid)) problems.push(`${gid} was never asked for`);
  return problems;
}

/** Every account must hold exactly what the ends say: not only the sum, which two wrongs could hide. */
async function checkMoney(
  records: readonly Record[],
  ended: ReadonlyMap<string, Transaction>,
  {
    banks,
    accounts,
  }: {
    readonly banks: { readonly a: Bank; readonly b: Bank };
    readonly accounts: { readonly from: readonly string[]; readonly to: readonly string[]; readonly frozen: string };
  },
): Promise<string[]> {
  const expected = new Map([...accounts.from, ...accounts.to, accounts.frozen].map((id) => [id, OPENING]));
  const add = (id: string, amount: number): void => void expected.set(id, (expected.get(id) ?? 0) + amount);
  for (const { gid, amount, from, to } of records) {
    if (ended.get(gid)?.status !== "succeed") continue;
    add(from, -amount);
    for (const id of to) add(id, amount / to.length);
  }
  const found = new Map<string, Account>();
  for (const bank of [banks.a, banks.b]) for (const account of await bank.accounts()) found.set(account.id, account);
  const problems: string[] = [];
  for (const [id, balance] of expected) {
    const account = found.get(id);
    if (account?.balance !== balance) problems.push(`${id} should hold ${balance} and holds ${account?.balance}`);
    if (account?.held !== 0 || account.incoming !== 0) problems.push(`${id} has money that is neither here nor there`);
  }
  return problems;
}

function count(records: readonly Record[], ended: ReadonlyMap<string, Transaction>): ReadonlyMap<string, number> {
  const ends = new Map<string, number>();
  for (const { gid, kind } of records) {
    const end = `${kind}: ${ended.get(gid)?.status ?? "unknown to the server"}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return new Map([...ends].sort(([a], [b]) => a.localeCompare(b)));
}
