/**
 * One customer of the crash test: makes one global transaction as an SDK would (protocol.md 6.4), survives the coordinator's
 * death, and writes down what it was promised. What it does is drawn from its own seed.
 */
import type { Bank } from "../kit/bank.js";
import type { Answer, DtmClient } from "../kit/dtm-client.js";
import type { Random } from "../kit/random.js";

export const KINDS = [
  "saga",
  "saga concurrent",
  "saga refused",
  "saga refused late",
  "tcc",
  "tcc refused",
  "tcc abandoned",
  "msg",
  "msg abandoned",
  "msg never sent",
] as const;
export type Kind = (typeof KINDS)[number];

/** `url`: where the coordinator calls it; `call`: what the customer itself does there. */
export type Service = Pick<Bank, "url" | "call">;

export interface World {
  readonly client: Pick<DtmClient, "post">;
  readonly banks: { readonly a: Service; readonly b: Service };
  /** Payers at bank A, payees at bank B, and one at bank B that takes nothing. */
  readonly accounts: {
    readonly from: readonly [string, ...string[]];
    readonly to: readonly [string, ...string[]];
    readonly frozen: string;
  };
  /** When a transaction that waits for something which nobody will ever bring is over. */
  readonly timeoutSeconds: number;
  /** Resolves when the coordinator is there again. */
  readonly back: () => Promise<void>;
  /** Called after every answer of the coordinator. */
  readonly answered: (answer: Answer) => void;
}

/** What a customer knows when it leaves. */
export interface Record {
  readonly gid: string;
  readonly kind: Kind;
  readonly amount: number;
  readonly from: string;
  readonly to: readonly string[];
  /** The coordinator said yes to something about it, so it must know it for ever. */
  acknowledged: boolean;
  /** The end that the answers leave as the only one. */
  promised: "succeed" | "failed" | null;
  /** msg: bank A has paid. */
  paid: boolean;
}

export async function serve(
  world: World,
  random: Random,
  { gid, kind }: { readonly gid: string; readonly kind: Kind },
): Promise<Record> {
  const late = kind === "saga refused late";
  const to = late ? [random.pick(world.accounts.to), random.pick(world.accounts.to)] : [random.pick(world.accounts.to)];
  const amount = random.between(1, 500) * to.length;
  const record: Record = {
    gid,
    kind,
    amount,
    from: random.pick(world.accounts.from),
    to,
    acknowledged: false,
    promised: null,
    paid: false,
  };
  const customer = new Customer(world, random, record);
  if (kind.startsWith("saga")) await customer.saga();
  else if (kind.startsWith("tcc")) await customer.tcc();
  else await customer.message();
  return record;
}

class Customer {
  readonly #world: World;
  readonly #random: Random;
  readonly #record: Record;
  /** Half of the customers repeat a request that got no answer, or a server error; the others never come back. */
  readonly #insistent: boolean;
  /** Who failed is tried again soon. */
  readonly #patience: { readonly retry_interval: number; readonly timeout_to_fail: number };

  constructor(world: World, random: Random, record: Record) {
    this.#world = world;
    this.#random = random;
    this.#record = record;
    this.#insistent = random.chance(0.5);
    this.#patience = { retry_interval: 1, timeout_to_fail: world.timeoutSeconds };
  }

  async saga(): Promise<void> {
    const { kind, amount, from, to } = this.#record;
    const { banks, accounts } = this.#world;
    const refused = kind === "saga refused" || kind === "saga refused late";
    const payees = refused ? [...(kind === "saga refused late" ? to : []), accounts.frozen] : to;
    const debits = [{ url: `${banks.a.url}/saga/debit`, payload: { account: from, amount } }];
    const credits = payees.map((account) => ({
      url: `${banks.b.url}/saga/credit`,
      payload: { account, amount: amount / to.length },
    }));
    const steps = [...debits, ...credits];
    const waits = this.#random.chance(0.3);
    const answer = await this.#ask("submit", {
      trans_type: "saga",
      retry_interval: this.#patience.retry_interval,
      steps: steps.map(({ url }) => ({ action: url, compensate: `${url}-undo` })),
      payloads: steps.map(({ payload }) => JSON.stringify(payload)),
      ...(kind === "saga concurrent" ? { custom_data: '{"concurrent":true}' } : {}),
      ...(waits ? { wait_result: true } : {}),
    });
    // 409 is what a waiting caller is told of a refused saga, and of one that isn't over yet; stored it is either way.
    if (answer?.status === 200 || answer?.status === 409) this.#promise(refused ? "failed" : "succeed");
  }

  async tcc(): Promise<void> {
    const { kind, amount, from, to } = this.#record;
    const { banks, accounts } = this.#world;
    const global = { trans_type: "tcc", ...this.#patience };
    if ((await this.#ask("prepare", global))?.status !== 200) return;
    this.#record.acknowledged = true;
    const payee = kind === "tcc refused" ? accounts.frozen : (to[0] ?? "");
    const branches = [
      { bank: banks.a, path: "/tcc/debit", order: { account: from, amount } },
      { bank: banks.b, path: "/tcc/credit", order: { account: payee, amount } },
    ];
    for (const [index, { bank, path, order }] of branches.entries()) {
      const branchId = `0${index + 1}`;
      const registered = await this.#ask("registerBranch", {
        trans_type: "tcc",
        branch_id: branchId,
        data: JSON.stringify(order),
        confirm: `${bank.url}${path}/confirm`,
        cancel: `${bank.url}${path}/cancel`,
      });
      const tried =
        registered?.status === 200 &&
        (await bank.call(`${path}/try`, { gid: this.#record.gid, branchId, type: "tcc", op: "try" }, order)) === 200;
      if (!tried) {
        if ((await this.#ask("abort", { ...global, rollback_reason: "a try failed" }))?.status === 200) this.#promise("failed");
        return;
      }
    }
    if (kind === "tcc abandoned") return;
    // 409: the customer was away longer than the transaction's patience, and it is being cancelled.
    if ((await this.#ask("submit", global))?.status === 200) this.#promise("succeed");
  }

  async message(): Promise<void> {
    const { kind, gid, amount, from, to } = this.#record;
    const { a, b } = this.#world.banks;
    const message = {
      trans_type: "msg",
      ...this.#patience,
      query_prepared: `${a.url}/msg/query`,
      steps: [{ action: `${b.url}/msg/credit` }],
      payloads: [JSON.stringify({ account: to[0], amount })],
    };
    if ((await this.#ask("prepare", message))?.status !== 200) return;
    this.#record.acknowledged = true;
    if (kind === "msg never sent") return;
    const local = await a.call("/msg/debit", { gid, branchId: "00", type: "msg", op: "msg" }, { account: from, amount });
    this.#record.paid = local === 200;
    if (!this.#record.paid) {
      // Query-prepared came first and closed the door.
      if ((await this.#ask("abort", message))?.status === 200) this.#promise("failed");
      return;
    }
    // From here on only the money at bank A decides: submitted or asked for, the payee gets it.
    this.#record.promised = "succeed";
    if (kind === "msg") await this.#ask("submit", message);
  }

  #promise(end: "succeed" | "failed"): void {
    this.#record.acknowledged = true;
    this.#record.promised = end;
  }

  /** Null: no answer came. That, or a server error, leaves it unknown what became of it. */
  async #ask(operation: string, body: object): Promise<Answer | null> {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#world.client.post(operation, { gid: this.#record.gid, ...body }).catch(() => null);
      if (answer !== null) this.#world.answered(answer);
      if (answer !== null && answer.status < 500) return answer;
      // A registration isn't repeatable (protocol.md 1.9), everything else is.
      if (attempt > 0 || !this.#insistent || operation === "registerBranch") return answer;
      await this.#world.back();
    }
  }
}
