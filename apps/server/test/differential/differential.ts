/**
 * One random command stream, two stores: each must answer what memory answers (style.md 11). A failing seed runs alone with
 * `DIFF_SEED=<seed> DIFF_WORLDS=1`; a difference found here becomes a contract test first, a fix second.
 */

import type { OpenEmpty, Opened } from "../../src/stores/contract/contract.js";
import { NOW, plain } from "../../src/stores/contract/fixtures.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import type { Store } from "../../src/stores/store.js";
import { Random } from "../simulation/random.js";
import { type Command, Commands } from "./commands.js";

const FIRST = Number(process.env["DIFF_SEED"] ?? 1);
const WORLDS = 20;
const ROUNDS = 60;

export interface DifferentialOptions {
  /** Whether writes that are asked for at once also happen in that order. False: one at a time. */
  readonly ordered: boolean;
  /** Seeds to run, for stores that are slow. Default: 20. */
  readonly worlds?: number;
}

export function differential(name: string, open: OpenEmpty, options: DifferentialOptions): void {
  describe(`${name} answers like memory`, () => {
    jest.setTimeout(SLOW_MS);
    let opened: Opened | null = null;
    afterAll(async () => opened?.dispose(), SLOW_MS);
    const worlds = Number(process.env["DIFF_WORLDS"] ?? options.worlds ?? WORLDS);
    for (let seed = FIRST; seed < FIRST + worlds; seed++) {
      test(`seed ${seed}`, async () => {
        if (opened?.clear === undefined) await opened?.dispose();
        else await opened.clear();
        opened = opened?.clear === undefined ? await open() : opened;
        await compare(opened.store, new Random(seed), options);
      });
    }
  });
}

/** Opening a store on a busy machine; nothing is measured here. */
const SLOW_MS = 120_000;

async function compare(store: Store, random: Random, { ordered }: DifferentialOptions): Promise<void> {
  const memory = new MemoryStore({ now: () => NOW, shared: store.shared });
  await Promise.all([memory.heartbeat("here", 3_600_000), store.heartbeat("here", 3_600_000)]);
  const commands = new Commands(random, memory);
  const history: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const burst: Command[] = [];
    const wanted = random.chance(0.5) ? 1 : random.between(2, ordered ? 12 : 2);
    for (let made = 0; made < wanted; made++) burst.push(await commands.write());
    if (ordered) await step(burst, memory, store, history);
    else for (const one of burst) await step([one], memory, store, history);
    await step([commands.read()], memory, store, history);
  }
  const page = { limit: 1000 };
  const rows = async (from: Store): Promise<unknown[]> => {
    const { transactions } = await from.list(page);
    return Promise.all(transactions.map(async ({ gid }) => plain(await from.find(gid))));
  };
  expect(await rows(store)).toEqual(await rows(memory));
}

/** What is asked for at once may share a batch; each answer is compared. */
async function step(burst: readonly Command[], memory: Store, store: Store, history: string[]): Promise<void> {
  history.push(...burst.map((command) => command.text));
  const [expected, found] = await Promise.all([answers(burst, memory), answers(burst, store)]);
  for (const [place, command] of burst.entries()) {
    try {
      expect(found[place]).toEqual(expected[place]);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${command.text}\n${message}\nafter:\n${history.slice(-30).join("\n")}`, { cause });
    }
  }
}

function answers(burst: readonly Command[], store: Store): Promise<unknown[]> {
  return Promise.all(burst.map((command) => command.run(store)));
}
