/** A workflow whose steps are guarded by barriers is all or nothing under every fault that the kit knows. */
import { cutShort, isLate } from "../../../apps/server/test/kit/cut-short.js";
import { faultMatrix, type Kit, type Run, type Scenario } from "../../testing/src/index.js";
import { Bank, give, guarded, take } from "../../testing/test/corpus/bank.js";
import {
  type DefinedWorkflow,
  Failure,
  type Workflow,
  type WorkflowSettings,
  Workflows,
  workflowListener,
} from "../src/index.js";

// One workflow is hundreds of runs, and a starved machine makes four of them in a second.
jest.setTimeout(600_000);

/** On a late run; single faults come first. */
const LATE_RUNS = 12;
const AMOUNT = 30;

interface Banks {
  readonly from: Bank;
  readonly to: Bank;
  readonly transfer: DefinedWorkflow<undefined, string>;
}

const freeze = guarded((bank, amount) => bank.freeze(amount));
const thaw = guarded((bank, amount) => bank.freeze(-amount));

const HANDLERS = {
  from: {
    "/debit": guarded(take),
    "/debit-undo": guarded(give),
    "/try": freeze,
    "/cancel": thaw,
    "/confirm": guarded((bank, amount) => {
      bank.freeze(-amount);
      take(bank, amount);
    }),
  },
  to: {
    "/credit": guarded(give),
    "/credit-undo": guarded(take),
    "/try": freeze,
    "/cancel": thaw,
    "/confirm": guarded((bank, amount) => {
      bank.freeze(-amount);
      give(bank, amount);
    }),
  },
};

const payload = { amount: AMOUNT };
const seatAt = (origin: string) => ({
  try: `${origin}/try`,
  confirm: `${origin}/confirm`,
  cancel: `${origin}/cancel`,
  payload,
});

const STEPS: Readonly<Record<string, (wf: Workflow) => Promise<unknown>>> = {
  saga: async (wf) => {
    await wf.saga({ action: "http://from/debit", compensate: "http://from/debit-undo", payload });
    await wf.saga({ action: "http://to/credit", compensate: "http://to/credit-undo", payload });
  },
  tcc: async (wf) => {
    await wf.tcc(seatAt("http://from"));
    await wf.tcc(seatAt("http://to"));
  },
  "a refusal that the handler deals with": async (wf) => {
    await wf
      .saga({ action: "http://from/debit", compensate: "http://from/debit-undo", payload })
      .catch(async (error: unknown) => {
        if (!(error instanceof Failure)) throw error;
        await wf.saga({ action: "http://from/debit", compensate: "http://from/debit-undo", payload });
      });
    await wf.saga({ action: "http://to/credit", compensate: "http://to/credit-undo", payload });
  },
  "saga, both at once": (wf) =>
    Promise.all([
      wf.saga({ action: "http://from/debit", compensate: "http://from/debit-undo", payload }),
      wf.saga({ action: "http://to/credit", compensate: "http://to/credit-undo", payload }),
    ]),
};

function scenario(steps: (wf: Workflow) => Promise<unknown>, { gid, settings }: Variant): Scenario<Banks> {
  return {
    setup(kit: Kit) {
      const workflows = new Workflows(kit.client, { callback: "http://app/workflows" });
      const transfer = workflows.define(
        "transfer",
        async (wf) => {
          await steps(wf);
          return "done";
        },
        settings,
      );
      const state = { from: new Bank(HANDLERS.from, kit.io), to: new Bank(HANDLERS.to, kit.io), transfer };
      kit.serve("http://from", state.from.listener);
      kit.serve("http://to", state.to.listener);
      kit.serve("http://app", workflowListener(workflows, { onError: () => undefined }));
      return state;
    },
    run: (_, { transfer }) => transfer.execute(undefined, gid === undefined ? {} : { gid }),
  };
}

interface Variant {
  readonly gid?: string;
  readonly settings?: WorkflowSettings;
}

function invariant({ state: { from, to }, transactions }: Run<Banks>): void {
  const moved = transactions.some(({ status }) => status === "succeed") ? AMOUNT : 0;
  const found = { from: from.balance, to: to.balance, frozen: from.frozen + to.frozen };
  expect(found).toEqual({ from: 100 - moved, to: 100 + moved, frozen: 0 });
}

const late = new Set<string>();
afterAll(() => {
  if (late.size > 0) cutShort(`fault matrix: ${late.size} workflows got ${LATE_RUNS} runs only`);
});

describe.each(Object.entries(STEPS))("%s", (name, steps) => {
  test.each<[string, Variant]>([
    ["as it is by itself", {}],
    ["under a gid that its caller chose", { gid: "order-1" }],
    ["with compensateErrorBranch", { settings: { compensateErrorBranch: true } }],
  ])("%s", async (variant, options) => {
    const one = scenario(steps, options);
    if (isLate()) {
      late.add(`${name} ${variant}`);
      await faultMatrix(one, { invariant, maxRuns: LATE_RUNS });
      return;
    }
    expect((await faultMatrix(one, { invariant })).skipped).toBe(0);
  });
});

test("compensateErrorBranch: false leaves the first call, which comes late, as it is", async () => {
  const one = scenario(STEPS["saga"] ?? Promise.reject, { settings: { compensateErrorBranch: false } });
  const broken = faultMatrix(one, { invariant, seed: "late@g1/01.action#1 + refuse@g1/01.action#2" });
  await expect(broken).rejects.toMatchObject({ name: "InvariantBroken" });
});
