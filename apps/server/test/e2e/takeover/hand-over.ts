/**
 * One hand-over from one coordinator to another: transactions of every kind are opened over the first, it goes, the services get well, and
 * the second must end them all. What is wrong afterwards is told in words; nothing is right only when the list is empty.
 */
import type { DtmClient, Transaction } from "../kit/dtm-client.js";
import { until } from "../kit/until.js";
import { DELAY_SECONDS, KINDS, type Kind } from "./kinds.js";
import { type Part, Services } from "./services.js";

export interface Open {
  readonly gid: string;
  readonly kind: Kind;
  readonly amount: number;
  /** When the coordinator that goes would have looked again; 0 where the other need not wait for it. */
  due: number;
  /** Branches that the coordinator that goes had seen to an end: nobody calls these again. */
  settled: ReadonlySet<Part>;
}

const AT_ONCE = 8;
const WAIT = { withinMs: 300_000, everyMs: 500 };
/** dtm's SQL columns hold whole seconds, rounded either way. */
const SECOND = 1_000;
const LONG_INTERVAL_SECONDS = 80;

export class HandOver {
  readonly services: Services;
  readonly open: readonly Open[];
  /** Ended before it; nobody may touch them again. */
  readonly ended: readonly Open[];
  #gone = 0;
  #nudged = Number.POSITIVE_INFINITY;

  private constructor(services: Services, name: string, count: number) {
    this.services = services;
    const made = (index: number, kind: Kind): Open => ({
      gid: `${name}-${index}`,
      kind,
      amount: 1 + (index % 97),
      due: 0,
      settled: new Set(),
    });
    this.open = Array.from({ length: count }, (_, index) => {
      const kind = KINDS[index % KINDS.length];
      if (kind === undefined) throw new Error("there are no kinds");
      return made(index, kind);
    });
    const well = KINDS.filter(({ group, end }) => group.endsWith("saga") && end === "succeed");
    this.ended = well.map((kind, index) => made(count + index, { ...kind, script: { ...kind.script, sick: {} } }));
  }

  static async begin(name: string, count: number): Promise<HandOver> {
    return new HandOver(await Services.start(), name, count);
  }

  /** `attempts`: wait until each sick one was called, so that its back-off is stored. */
  async lay(client: DtmClient, { attempts }: { readonly attempts: boolean }): Promise<void> {
    const world = { client, services: this.services };
    this.services.coordinator = client;
    const make = async ({ gid, kind, amount }: Open): Promise<void> => {
      this.services.script(gid, { ...kind.script, amount });
      await kind.make(world, gid);
    };
    await inParallel(this.ended, make);
    await inParallel(
      this.#those(({ kind }) => kind.delayed !== true),
      make,
    );
    for (const { gid } of this.ended) await this.#is(client, gid, "succeed");
    await inParallel(
      this.#those(({ kind }) => kind.delayed !== true),
      async ({ gid, kind }) => {
        await this.#is(client, gid, kind.open);
        if (attempts && Object.keys(kind.script.sick).length > 0)
          await until(`${gid} (${kind.name}) is called`, async () => this.services.called(gid) || undefined, WAIT);
      },
    );
    await inParallel(
      this.#those(({ kind }) => kind.delayed === true),
      async (one) => {
        one.due = Date.now() + DELAY_SECONDS * 1_000;
        await make(one);
      },
    );
    await inParallel(
      this.#those(({ kind }) => kind.patient === true),
      async (one) => {
        one.due = await this.#restingUntil(client, one);
      },
    );
    await inParallel(this.open, async (one) => {
      const { branches } = await client.query(one.gid);
      one.settled = new Set(
        branches.flatMap(({ branch_id, op, status }) => (status === "prepared" ? [] : [`${branch_id} ${op}`])),
      );
    });
  }

  /** Whom they were laid over is gone, and the services are well. */
  gone(): void {
    this.services.sick = false;
    this.#gone = Date.now();
  }

  /** The other one is there. */
  async take(client: DtmClient): Promise<void> {
    this.services.coordinator = client;
    const world = { client, services: this.services };
    await inParallel(this.open, async ({ gid, kind }) => kind.later?.(world, gid));
  }

  /** Patient ones rest until their time, the others end without any help; `hurry`: all are nudged from the beginning. */
  async waitForEnds(
    client: DtmClient,
    { nudge, words, hurry }: { readonly nudge: () => Promise<void>; readonly words: () => string; readonly hurry: boolean },
  ): Promise<void> {
    const others = this.#those(({ kind }) => kind.patient !== true);
    if (!hurry) await this.#allEnd(client, { wanted: others, words, meanwhile: async () => undefined });
    this.#nudged = Date.now();
    await this.#allEnd(client, { wanted: this.open, words, meanwhile: nudge });
  }

  async check(client: DtmClient): Promise<readonly string[]> {
    const problems = [...this.services.problems];
    let [payer, payee] = [0, 0];
    for (const { gid, kind, amount, due, settled } of [...this.ended, ...this.open]) {
      const { transaction, branches } = await client.query(gid);
      const what = `${gid} (${kind.name})`;
      if (transaction?.status !== kind.end)
        problems.push(`${what} should have ended as ${kind.end}, not as ${transaction?.status}`);
      const found = Object.fromEntries(branches.map(({ branch_id, op, status }) => [`${branch_id} ${op}`, status]));
      for (const [part, statuses] of Object.entries(kind.branches))
        if (!statuses.includes(found[part] ?? "absent"))
          problems.push(`${what}: branch ${part} is ${found[part]}, not ${statuses.join(" or ")}`);
      for (const part of Object.keys(found)) if (kind.branches[part] === undefined) problems.push(`${what} has a branch ${part}`);
      const share = kind.end === "succeed" ? 1 : 0;
      const effects = this.services.effects(gid);
      if (effects[0] !== share || effects[1] !== share) problems.push(`${what} moved money ${effects.join(" and ")} times`);
      payer -= share * amount;
      payee += share * amount;
      const calls = this.services.calls.filter((call) => call.gid === gid && call.at >= this.#gone);
      const again = calls.find((call) => settled.has(call.part));
      if (again !== undefined) problems.push(`${what}: ${again.part} was over, and was called again`);
      // A nudge shortens a back-off, never a delay (R8).
      const notBefore = Math.min(due - SECOND, kind.delayed === true ? due : this.#nudged);
      const early = calls.find((call) => call.at < notBefore);
      if (early !== undefined) problems.push(`${what} was called ${Math.round((due - early.at) / 1_000)} s before its time`);
    }
    const { books } = this.services;
    if (books.payer !== payer || books.payee !== payee)
      problems.push(`the books say ${books.payer} and ${books.payee}, the ends ${payer} and ${payee}`);
    for (const { gid } of this.ended)
      if (this.services.calls.some((call) => call.gid === gid && call.at >= this.#gone))
        problems.push(`${gid} had ended and was called`);
    return problems;
  }

  /** How many are open, by kind of transaction and by status. */
  story(): string {
    const count = (name: (one: Open) => string): string => {
      const counts = new Map<string, number>();
      for (const one of this.open) counts.set(name(one), (counts.get(name(one)) ?? 0) + 1);
      return [...counts].map(([each, times]) => `${times} ${each}`).join(", ");
    };
    const marks = count(({ kind }) => (kind.patient ? "with a long interval" : kind.delayed ? "delayed" : "others"));
    return `${this.open.length} open: ${count(({ kind }) => kind.group)}; ${count(({ kind }) => kind.open)}; ${marks}`;
  }

  groups(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { kind } of this.open) counts.set(kind.group, (counts.get(kind.group) ?? 0) + 1);
    return counts;
  }

  #those(which: (one: Open) => boolean): readonly Open[] {
    return this.open.filter(which);
  }

  async #is(client: DtmClient, gid: string, status: string): Promise<void> {
    await until(
      `${gid} is ${status}`,
      async () => ((await client.query(gid)).transaction?.status === status ? true : undefined),
      WAIT,
    );
  }

  async #restingUntil(client: DtmClient, { gid, kind }: Open): Promise<number> {
    const { next_cron_interval, next_cron_time } = await until(
      `${gid} (${kind.name}) rests`,
      async () => {
        const row = (await client.query(gid)).transaction as (Transaction & Resting) | null;
        return row !== null && (row.next_cron_interval ?? 0) >= LONG_INTERVAL_SECONDS ? row : undefined;
      },
      WAIT,
    );
    if (next_cron_interval === undefined || next_cron_time === undefined) throw new Error(`${gid} has no time to be looked at`);
    return Date.parse(next_cron_time);
  }

  async #allEnd(
    client: DtmClient,
    {
      wanted,
      words,
      meanwhile,
    }: {
      readonly wanted: readonly Open[];
      readonly words: () => string;
      readonly meanwhile: () => Promise<void>;
    },
  ): Promise<void> {
    let left: readonly string[] = [];
    await until(
      "every transaction ends",
      async () => {
        await meanwhile();
        const statuses = new Map((await client.all()).map(({ gid, status }) => [gid, status]));
        left = wanted.flatMap(({ gid, kind }) => {
          const status = statuses.get(gid);
          return status === "succeed" || status === "failed" ? [] : [`${gid} (${kind.name}) is ${status}`];
        });
        return left.length === 0 ? true : undefined;
      },
      { ...WAIT, everyMs: 1_000 },
    ).catch((cause: unknown) => {
      throw new Error(`${left.length} didn't end, such as ${left.slice(0, 5).join(", ")}\n${words()}`, { cause });
    });
  }
}

interface Resting {
  readonly next_cron_interval?: number;
  readonly next_cron_time?: string;
}

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void> | undefined): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let one = all[next++]; one !== undefined; one = all[next++]) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
