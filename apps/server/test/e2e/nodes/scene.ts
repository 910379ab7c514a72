/** Two nodes over a store of their own, banks whose calls are recorded, and customers: what every test of several nodes starts from. */
import { checkMoney, checkPromises, inLanes, openAccounts, waitForTheEnds } from "../crash/checks.js";
import { KINDS, type Record, serve } from "../crash/customer.js";
import type { CrashStore, Place } from "../crash/stores.js";
import type { Bank } from "../kit/bank.js";
import { Random } from "../kit/random.js";
import { until } from "../kit/until.js";
import { Nodes } from "./nodes.js";
import { type Call, type DeadEpoch, deadEpochs, doubledOf, lateCalls, type Overlap, overlapsOf } from "./overlaps.js";
import { Recorder } from "./recorder.js";

const LANES = 40;
/** Above this, new customers wait: banks that can't keep up would answer too late. */
const MOST_CALLS = 30;
const PATIENT = { RETRY_INTERVAL: "10", RETRY_MAX_INTERVAL: "10", TRANS_CRON_INTERVAL: "1" };
const TIMEOUT_SECONDS = 4;
const PATIENCE = { withinMs: 300_000, everyMs: 20 };

export interface SceneOptions {
  readonly store: CrashStore;
  readonly banks: { readonly a: Bank; readonly b: Bank };
  readonly folder: string;
  readonly seed: number;
  /** How long a node lives without a heartbeat. */
  readonly leaseMs: number;
  /** Longer than a bank on a starved machine takes: a call that is given up is made again, beside itself. */
  readonly requestTimeoutSeconds: number;
  readonly preload?: readonly string[];
}

export interface Seen {
  readonly calls: readonly Call[];
  /** All epochs that were declared dead. */
  readonly epochs: readonly DeadEpoch[];
  readonly overlaps: readonly Overlap[];
  readonly late: ReadonlyMap<DeadEpoch, readonly Call[]>;
  readonly doubled: readonly Call[];
}

export class Scene {
  readonly random: Random;
  readonly #options: SceneOptions;
  readonly #accounts: Awaited<ReturnType<typeof openAccounts>>;

  private constructor(
    options: SceneOptions,
    accounts: Awaited<ReturnType<typeof openAccounts>>,
    readonly place: Place,
    readonly nodes: Nodes,
    readonly recorder: Recorder,
  ) {
    this.random = new Random(options.seed);
    this.#options = options;
    this.#accounts = accounts;
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const { store, banks, seed, leaseMs, requestTimeoutSeconds } = options;
    const folder = `${options.folder}/${store.name}-${seed}`;
    const place = await store.place(folder);
    try {
      const accounts = await openAccounts(banks, `nodes-${seed}`);
      const recorder = await Recorder.start(banks);
      const nodes = await Nodes.start({
        folder,
        env: {
          ...PATIENT,
          ...place.env,
          LEASE_MS: String(leaseMs),
          HEARTBEAT_MS: "500",
          REQUEST_TIMEOUT: String(requestTimeoutSeconds),
        },
        random: new Random(seed + 1),
        preload: ["name-calls.mjs", ...(options.preload ?? [])],
      });
      return new Scene(options, accounts, place, nodes, recorder);
    } catch (cause) {
      await place.drop();
      throw cause;
    }
  }

  /** Customers come as long as there are more; `index` counts them. */
  traffic(more: (index: number) => boolean): Promise<readonly Record[]> {
    const { recorder, nodes } = this;
    const { seed } = this.#options;
    const world = {
      client: nodes,
      banks: { a: recorder.service("a"), b: recorder.service("b") },
      accounts: this.#accounts,
      timeoutSeconds: TIMEOUT_SECONDS,
      // The other node takes the repeat.
      back: async () => undefined,
      answered: () => undefined,
    };
    const work = async (index: number): Promise<Record> => {
      await until("the banks keep up", async () => (recorder.underWay < MOST_CALLS ? true : undefined), PATIENCE);
      const own = new Random(seed * 10_000 + index);
      return serve(world, own, { gid: `nodes-${seed}-${index}`, kind: own.pick(KINDS) });
    };
    return inLanes(LANES, { more, work });
  }

  /** When everything has ended: what is wrong with the ends, in words. */
  async ends(records: readonly Record[]): Promise<string[]> {
    const [{ client }] = this.nodes.all;
    const ended = await waitForTheEnds(client, () => this.nodes.lastWords);
    await until("every call is answered", async () =>
      this.recorder.calls.every(({ status }) => status !== null) ? true : undefined,
    );
    const { banks } = this.#options;
    return [
      ...(await checkPromises(records, ended, client)),
      ...(await checkMoney(records, ended, { banks, accounts: this.#accounts })),
    ];
  }

  async seen(): Promise<Seen> {
    const { calls } = this.recorder;
    const epochs = deadEpochs(await this.place.deaths(), this.nodes.log);
    return {
      calls,
      epochs,
      overlaps: overlapsOf(calls, epochs),
      late: lateCalls(calls, epochs),
      doubled: doubledOf(calls),
    };
  }

  async close(): Promise<void> {
    await this.nodes.kill();
    await this.place.drop();
  }
}
