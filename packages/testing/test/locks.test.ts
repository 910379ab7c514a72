/** A step inside a transaction that holds a lock: others wait for it in real time, and its holder for the clock. */
import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { DtmError } from "@dtm/protocol";
import { faultMatrix, type Kit, type Run, type Scenario, startCoordinator } from "../src/index.js";
import { hurry } from "./kit/hurry.js";
import { type Connection, LockedBank } from "./kit/locked-bank.js";

const AMOUNT = 30;
const saga = (kit: Kit) =>
  kit.client.saga().step({ action: "http://bank/debit", compensate: "http://bank/undo", payload: { amount: AMOUNT } });

interface Story {
  /** What becomes of a connection that the handler took. */
  readonly taken?: (kit: Kit, connection: Connection) => unknown;
  readonly run?: (kit: Kit) => Promise<unknown>;
}

const mortal = (kit: Kit, connection: Connection): unknown => kit.connection(connection, (dead) => dead.destroy());

/** Two steps in a local transaction; between them, anything from no real time to a little. */
function scenario({ taken = mortal, run = (kit) => saga(kit).submit() }: Story = {}): Scenario<LockedBank> {
  return {
    setup(kit) {
      const bank = new LockedBank();
      kit.serve("http://bank", (request, response) => {
        const op = new URL(request.url ?? "", "http://bank").searchParams.get("op") ?? "";
        void move(kit, { connection: bank.connect(), op, taken }).then(
          () => void response.end("{}"),
          () => void response.writeHead(500).end(),
        );
      });
      return bank;
    },
    run,
  };
}

interface Move {
  readonly connection: Connection;
  readonly op: string;
  readonly taken: (kit: Kit, connection: Connection) => unknown;
}

async function move(kit: Kit, { connection, op, taken }: Move): Promise<void> {
  taken(kit, connection);
  try {
    await connection.begin();
    await sleep(Math.random() * 8);
    if (connection.once(op)) {
      await kit.io(() => connection.add(op === "action" ? -AMOUNT : AMOUNT));
      await sleep(Math.random() * 8);
    }
    await kit.io(() => connection.commit());
    // The lock is free, and whoever waited for it may be the faster one.
    await sleep(Math.random() * 8);
  } finally {
    connection.release();
  }
}

const invariant = ({ state, transactions }: Run<LockedBank>): void =>
  expect(state.balance).toBe(transactions[0]?.status === "succeed" ? 100 - AMOUNT : 100);

test("a right saga that holds a lock over its steps stays right under every fault", async () => {
  const { skipped, runs } = await faultMatrix(scenario(), { invariant });
  expect(skipped).toBe(0);
  expect(runs).toBeGreaterThan(50);
});

// Two deliveries that are at work at once, and a third one.
const SEEDS = [
  "duplicate@g1/01.action#1",
  "crash-before@g1/01.action io#1",
  "crash-after@g1/01.action io#2",
  "refuse@g1/01.action#1 + duplicate@g1/01.compensate#1",
  "duplicate@g1/01.action#1 + crash-after@g1/01.action io#1",
];

test.each(SEEDS)("one seed gives one trace, whoever is faster: %s", async (seed) => {
  const { trace } = await faultMatrix(scenario(), { invariant, seed });
  for (let again = 0; again < 6; again++) {
    expect((await faultMatrix(scenario(), { invariant, seed })).trace).toEqual(trace);
  }
});

test("who is set going by the same lock is seen in the order of the beginnings, whoever is faster", async () => {
  const two: Scenario<unknown> = {
    setup(kit) {
      const bank = new LockedBank();
      kit.serve("http://bank", async (request, response) => {
        const connection = bank.connect();
        await connection.begin();
        if (request.url?.startsWith("/first?") === true) await kit.io(() => undefined);
        connection.release();
        await sleep(Math.random() * 8);
        response.end("{}");
      });
    },
    run(kit) {
      const steps = kit.client.saga().concurrent();
      for (const path of ["first", "second", "third"])
        steps.step({ action: `http://bank/${path}`, compensate: "http://bank/undo", payload: {} });
      return steps.submit();
    },
  };
  const traceOf = async () => (await faultMatrix(two, { invariant: () => true, seed: "" })).trace;
  const trace = await traceOf();
  const answers = trace.filter((line) => line.includes(".action#1  ← 200"));
  expect(answers.map((line) => /01|02|03/.exec(line.slice(8))?.[0])).toEqual(["01", "02", "03"]);
  for (let again = 0; again < 6; again++) expect(await traceOf()).toEqual(trace);
});

test("a slow handler without a lock isn't overtaken by the clock, though its caller waits", async () => {
  const slow = (ms: number): Scenario<LockedBank> => {
    const listener: RequestListener = (_, response) => void sleep(ms).then(() => response.end("{}"));
    const setup = (kit: Kit): LockedBank => {
      kit.serve("http://bank", listener);
      return new LockedBank();
    };
    return { setup, run: (kit) => saga(kit).submit({ waitResult: true }) };
  };
  const traceOf = async (ms: number) => (await faultMatrix(slow(ms), { invariant: () => true, seed: "" })).trace;
  expect(await traceOf(2_500)).toEqual(await traceOf(0));
});

test("what was given back doesn't die, and what is out dies with its process", async () => {
  const state = new Set<LockedBank>();
  const keep = ({ state: bank }: Run<LockedBank>): unknown => state.add(bank);
  await faultMatrix(scenario(), { invariant: keep, seed: "crash-answered@g1/01.action#1" });
  await faultMatrix(scenario(), { invariant: keep, seed: "crash-after@g1/01.action io#1" });
  expect([...state].map(({ destroyed }) => destroyed)).toEqual([0, 1]);
});

test("what dead code takes out afterwards dies at once", async () => {
  let taken: LockedBank | null = null;
  const taking = (kit: Kit, connection: Connection): void => {
    taken = connection.bank;
    void kit.io(() => undefined);
    // When its process is dead already.
    void sleep(100).then(() => mortal(kit, connection));
  };
  const once = { invariant: () => true, seed: "crash-before@g1/01.action io#1" };
  await faultMatrix(scenario({ taken: taking }), once);
  expect(taken).toMatchObject({ destroyed: 1 });
});

test("a caller's connection dies with the caller", async () => {
  const bank = new LockedBank();
  const run = async (kit: Kit): Promise<void> => {
    const connection = kit.connection(bank.connect(), (dead) => dead.destroy());
    await connection.begin();
    await saga(kit).submit();
  };
  await faultMatrix(scenario({ run }), { invariant, seed: "crash-after@client submit g1#1" }).catch(() => undefined);
  expect(bank.destroyed).toBe(1);
});

describe("a standstill is told with what to do about it", () => {
  afterEach(() => jest.restoreAllMocks());

  async function told(story: Story, seed: string): Promise<DtmError> {
    const end = await faultMatrix(scenario(story), { invariant, seed }).catch((cause: unknown) => cause);
    if (end instanceof DtmError) return end;
    throw new Error(`expected a DtmError, found ${String(end)}`);
  }

  test("a dead process that keeps its lock", async () => {
    hurry();
    const { code, message } = await told({ taken: () => undefined }, "crash-before@g1/01.action io#1");
    expect(code).toBe("OPTION_INVALID");
    expect(message).toContain("the handler of http://bank/debit (g1/01.action) hasn't answered for 10 s");
    expect(message).toContain("kit.connection(client, destroy)");
    expect(message).toContain('replay: seed: "crash-before@g1/01.action io#1"');
    expect(message).toContain("its process died");
  });

  test("also while the caller waits for the clock", async () => {
    hurry();
    const run = async (kit: Kit): Promise<void> => {
      await saga(kit).submit();
      for (;;) await kit.pause(1_000);
    };
    const story = { taken: () => undefined, run };
    expect(await told(story, "crash-before@g1/01.action io#1")).toMatchObject({ code: "OPTION_INVALID" });
  });

  test("a connection that can't be destroyed", async () => {
    const taken = (kit: Kit, connection: Connection): unknown =>
      kit.connection(connection, () => {
        throw new Error("released before");
      });
    const { code, message } = await told({ taken }, "crash-before@g1/01.action io#1");
    expect(code).toBe("OPTION_INVALID");
    expect(message).toMatch(/^kit\.connection: a connection of g1\/01\.action couldn't be destroyed \(released before\)/);
  });

  test("a call without what destroys it", async () => {
    const setup = (kit: Kit): unknown => kit.connection({}, JSON.parse("null"));
    await expect(faultMatrix({ setup, run: (kit) => saga(kit).submit() }, { invariant: () => true })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });

  test("a coordinator in a test", async () => {
    hurry();
    const dtm = await startCoordinator();
    try {
      dtm.serve("http://bank", () => undefined);
      const submitted = dtm.client.msg().step({ action: "http://bank/never", payload: {} }).submit();
      await expect(submitted).rejects.toMatchObject({ code: "OPTION_INVALID" });
    } finally {
      await dtm.stop();
    }
  });
});
