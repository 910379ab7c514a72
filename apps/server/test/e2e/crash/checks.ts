/**
 * What every test with customers does: opens their accounts, lets them in, waits until everything has ended, and counts: promises
 * and money. Problems are told in words; nothing is right only when there is none.
 */
import type { Account, Bank } from "../kit/bank.js";
import type { DtmClient, Transaction } from "../kit/dtm-client.js";
import { until } from "../kit/until.js";
import type { Record } from "./customer.js";

const OPENING = 10_000_000;
const READERS = 16;

/** `name` tells this round's accounts from those of others at the same banks. */
export async function openAccounts(banks: { readonly a: Bank; readonly b: Bank }, name: number | string) {
  const from = [0, 1, 2].map((n) => `payer-${name}-${n}`) as [string, ...string[]];
  const to = [0, 1, 2].map((n) => `payee-${name}-${n}`) as [string, ...string[]];
  const frozen = `frozen-${name}`;
  for (const id of from) await banks.a.open(id, { balance: OPENING });
  for (const id of to) await banks.b.open(id, { balance: OPENING });
  await banks.b.open(frozen, { balance: OPENING, frozen: true });
  return { from, to, frozen };
}

/** In each lane one after another, for as long as there is more to do; `index` counts over all lanes. */
export async function inLanes<T>(
  lanes: number,
  { more, work }: { readonly more: (index: number) => boolean; readonly work: (index: number) => Promise<T> },
): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (more(next)) results.push(await work(next++));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

function unfinished({ status }: Transaction): boolean {
  return status !== "succeed" && status !== "failed";
}

export async function waitForTheEnds(client: DtmClient, lastWords: () => string): Promise<ReadonlyMap<string, Transaction>> {
  let open: readonly Transaction[] = [];
  let trouble = "";
  const all = await until(
    "every transaction ends",
    async () => {
      // A Cluster that has lost a master answers again when a replica has taken over.
      const found = await client.all().catch((cause: unknown) => {
        trouble = `, the last look failed: ${String(cause)}`;
        return null;
      });
      if (found === null) return undefined;
      trouble = "";
      open = found.filter(unfinished);
      return open.length === 0 ? found : undefined;
    },
    { withinMs: 300_000, everyMs: 200 },
  ).catch((cause: unknown) => {
    const examples = open.slice(0, 5).map(({ gid, trans_type, status }) => `${gid} (${trans_type}, ${status})`);
    throw new Error(`${open.length} transactions didn't end, such as ${examples.join(", ")}${trouble}\n${lastWords()}`, {
      cause,
    });
  });
  return new Map(all.map((transaction) => [transaction.gid, transaction]));
}

/** What was promised is kept, and the list and the query tell the same. */
export async function checkPromises(
  records: readonly Record[],
  ended: ReadonlyMap<string, Transaction>,
  client: DtmClient,
): Promise<string[]> {
  const problems: string[] = [];
  const check = async ({ gid, kind, acknowledged, promised }: Record): Promise<void> => {
    const status = ended.get(gid)?.status ?? null;
    if (acknowledged && status === null) problems.push(`${gid} (${kind}) was acknowledged and is gone`);
    else if (promised !== null && status !== promised)
      problems.push(`${gid} (${kind}) should have ended as ${promised}, not as ${status}`);
    const { transaction } = await client.query(gid);
    if ((transaction?.status ?? null) !== status)
      problems.push(`${gid} (${kind}) is ${status} in the list and ${transaction?.status} in query`);
  };
  const left = records.values();
  await Promise.all(
    Array.from({ length: READERS }, async () => {
      for (const record of left) await check(record);
    }),
  );
  const known = new Set(records.map(({ gid }) => gid));
  for (const gid of ended.keys()) if (!known.has(gid)) problems.push(`${gid} was never asked for`);
  return problems;
}

/** Every account must hold exactly what the ends say: not only the sum, which two wrongs could hide. */
export async function checkMoney(
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

export function countEnds(records: readonly Record[], ended: ReadonlyMap<string, Transaction>): ReadonlyMap<string, number> {
  const ends = new Map<string, number>();
  for (const { gid, kind } of records) {
    const end = `${kind}: ${ended.get(gid)?.status ?? "unknown to the server"}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return new Map([...ends].sort(([a], [b]) => a.localeCompare(b)));
}
