/** The transactions that are open when one coordinator hands over to the other: how each is made, and how it must end. */
import type { DtmClient } from "../kit/dtm-client.js";
import { type Part, type Script, type Services, workflowBody } from "./services.js";

export interface World {
  readonly client: DtmClient;
  readonly services: Services;
}

export interface Kind {
  readonly name: string;
  /** As an operator counts them: a concurrent saga is its own. */
  readonly group: "saga" | "concurrent saga" | "tcc" | "msg" | "xa" | "workflow";
  /** Its status while it is open. */
  readonly open: "prepared" | "submitted" | "aborting";
  readonly end: "succeed" | "failed";
  /** Its retry interval is 80 s or more: it rests until its time, or until somebody nudges it. */
  readonly patient?: true;
  /** Nothing is called for it before its time. */
  readonly delayed?: true;
  readonly script: Omit<Script, "amount">;
  make(world: World, gid: string): Promise<void>;
  /** What its client does when the coordinator is there again. */
  later?(world: World, gid: string): Promise<void>;
  /** Each branch at the end, by id and op. */
  readonly branches: Readonly<Record<Part, readonly string[]>>;
}

/** From the submit: the hand-over lies in between. */
export const DELAY_SECONDS = 40;
const PATIENT = { retry_interval: 90 };
/** Its client comes back; what has no timeout of its own has been abandoned for the server's. */
const UNHURRIED = { timeout_to_fail: 3_600 };
const WELL = { sick: {}, refused: [], sent: true };

function pairs(forward: string, back: string, end: "succeed" | "failed"): Kind["branches"] {
  const [done, open] = end === "succeed" ? [forward, back] : [back, forward];
  return Object.fromEntries(
    ["01", "02"].flatMap((id) => [
      [`${id} ${done}`, ["succeed"]],
      [`${id} ${open}`, ["prepared"]],
    ]),
  );
}

const PAID = pairs("action", "compensate", "succeed");
const UNDONE: Kind["branches"] = {
  "01 action": ["succeed"],
  "01 compensate": ["succeed"],
  "02 action": ["failed"],
  "02 compensate": ["succeed"],
};

function saga(kind: Partial<Kind> & Pick<Kind, "name">, script: Partial<Script>, fields: object = {}): Kind {
  return {
    group: "saga",
    open: "submitted",
    end: "succeed",
    branches: PAID,
    ...kind,
    script: { type: "saga", ...WELL, ...script },
    async make({ client, services }, gid) {
      const steps = ["debit", "credit"].map((path) => ({
        action: `${services.url}/${path}`,
        compensate: `${services.url}/${path}`,
      }));
      const payload = services.payload(gid);
      await must(client.submit({ gid, trans_type: "saga", steps, payloads: [payload, payload], ...fields }));
    },
  };
}

const CONCURRENT = { custom_data: '{"concurrent":true}' };
const ORDERED = { custom_data: '{"concurrent":true,"orders":{"1":[0]}}' };

const SAGAS: readonly Kind[] = [
  saga({ name: "saga, ongoing" }, { sick: { "02 action": 425 } }),
  saga({ name: "saga, failing" }, { sick: { "02 action": 500 } }),
  saga(
    { name: "saga, refused", open: "aborting", end: "failed", branches: UNDONE },
    { refused: ["02 action"], sick: { "01 compensate": 500 } },
  ),
  saga({ name: "saga, patient", patient: true }, { sick: { "01 action": 500 } }, PATIENT),
  saga({ name: "concurrent saga, ongoing", group: "concurrent saga" }, { sick: { "02 action": 425 } }, CONCURRENT),
  saga({ name: "concurrent saga, failing", group: "concurrent saga" }, { sick: { "02 action": 500 } }, ORDERED),
  saga(
    {
      name: "concurrent saga, refused",
      group: "concurrent saga",
      open: "aborting",
      end: "failed",
      // Its neighbour was refused while it was on its way: the answer may have come too late to count.
      branches: { ...UNDONE, "01 action": ["succeed", "prepared"] },
    },
    { refused: ["02 action"], sick: { "01 compensate": 425 } },
    CONCURRENT,
  ),
];

interface TwoPhase {
  readonly forward: string;
  readonly back: string;
}

const TCC: TwoPhase = { forward: "confirm", back: "cancel" };
const XA: TwoPhase = { forward: "commit", back: "rollback" };

/** `first`: what the client says before the hand-over; `afterwards`: what it says after it. */
function twoPhase(
  group: "tcc" | "xa",
  kind: Pick<Kind, "name" | "open" | "end"> & Partial<Kind>,
  {
    first,
    afterwards,
    sick = {},
    fields = {},
  }: {
    readonly first?: "submit" | "abort";
    readonly afterwards?: "submit" | "abort";
    readonly sick?: Script["sick"];
    readonly fields?: object;
  },
): Kind {
  const { forward, back } = group === "tcc" ? TCC : XA;
  const say = async ({ client }: World, gid: string, what: "submit" | "abort"): Promise<void> =>
    must(client.post(what, { gid, trans_type: group, ...fields }));
  return {
    group,
    branches: pairs(forward, back, kind.end),
    ...kind,
    script: { type: group, ...WELL, sick },
    async make(world, gid) {
      const { client, services } = world;
      await must(client.prepare({ gid, trans_type: group, ...fields }));
      for (const [branchId, path] of [
        ["01", "debit"],
        ["02", "credit"],
      ] as const) {
        const url = `${services.url}/${path}`;
        const branch = group === "tcc" ? { confirm: url, cancel: url, data: services.payload(gid) } : { url };
        await must(client.registerBranch({ gid, trans_type: group, branch_id: branchId, ...branch }));
        services.act({ gid, branchId, op: group === "tcc" ? "try" : "action" });
      }
      if (first !== undefined) await say(world, gid, first);
    },
    ...(afterwards === undefined ? {} : { later: (world, gid) => say(world, gid, afterwards) }),
  };
}

const TWO_PHASE: readonly Kind[] = [
  twoPhase("tcc", { name: "tcc, being prepared", open: "prepared", end: "succeed" }, { afterwards: "submit", fields: UNHURRIED }),
  twoPhase("tcc", { name: "tcc, abandoned", open: "prepared", end: "failed" }, {}),
  twoPhase(
    "tcc",
    { name: "tcc, confirming, patient", open: "submitted", end: "succeed", patient: true },
    { first: "submit", sick: { "02 confirm": 500 }, fields: PATIENT },
  ),
  twoPhase("tcc", { name: "tcc, cancelling", open: "aborting", end: "failed" }, { first: "abort", sick: { "01 cancel": 425 } }),
  twoPhase("xa", { name: "xa, being prepared", open: "prepared", end: "failed" }, { afterwards: "abort", fields: UNHURRIED }),
  twoPhase("xa", { name: "xa, committing", open: "submitted", end: "succeed" }, { first: "submit", sick: { "01 commit": 500 } }),
  twoPhase("xa", { name: "xa, rolling back", open: "aborting", end: "failed" }, { first: "abort", sick: { "02 rollback": 425 } }),
];

function msg(
  kind: Pick<Kind, "name" | "open"> & Partial<Kind>,
  {
    sent = true,
    sick = {},
    fields = {},
    submitted,
  }: {
    readonly sent?: boolean;
    readonly sick?: Script["sick"];
    readonly fields?: object;
    readonly submitted: boolean;
  },
): Kind {
  return {
    group: "msg",
    end: sent ? "succeed" : "failed",
    branches: { "01 action": [sent ? "succeed" : "prepared"] },
    ...kind,
    script: { type: "msg", refused: [], sick, sent },
    async make({ client, services }, gid) {
      const steps = [{ action: `${services.url}/credit` }];
      const body = { gid, trans_type: "msg", query_prepared: `${services.url}/asked`, steps, payloads: [services.payload(gid)] };
      await must(client.prepare(body));
      if (sent) services.act({ gid, branchId: "00", op: "msg" });
      if (submitted) await must(client.submit({ ...body, ...fields }));
    },
  };
}

const MESSAGES: readonly Kind[] = [
  msg({ name: "msg, sent and never submitted", open: "prepared" }, { submitted: false }),
  msg({ name: "msg, never sent", open: "prepared" }, { submitted: false, sent: false }),
  msg({ name: "msg, failing", open: "submitted" }, { submitted: true, sick: { "01 action": 500 } }),
];

/** Made last: its delay has to outlast the hand-over. */
const DELAYED: Kind = {
  ...msg({ name: "msg, delayed", open: "submitted", delayed: true }, { submitted: true }),
  async make({ client, services }, gid) {
    services.act({ gid, branchId: "00", op: "msg" });
    await must(
      client.submit({
        gid,
        trans_type: "msg",
        custom_data: `{"delay":${DELAY_SECONDS}}`,
        steps: [{ action: `${services.url}/credit` }],
        payloads: [services.payload(gid)],
      }),
    );
  },
};

function workflow(name: string, { half, refused }: { readonly half: boolean; readonly refused: boolean }): Kind {
  return {
    name,
    group: "workflow",
    open: "prepared",
    end: refused ? "failed" : "succeed",
    branches: refused
      ? { "01 action": ["succeed"], "02 action": ["failed"], "01 rollback": ["succeed"] }
      : { "01 action": ["succeed"], "02 action": ["succeed"] },
    script: { type: "workflow", ...WELL, refused: refused ? ["02 action"] : [] },
    async make({ client, services }, gid) {
      await must(client.post("prepareWorkflow", workflowBody(gid, services)));
      if (!half) return;
      services.act({ gid, branchId: "01", op: "action" });
      const progress = { branch_id: "01", op: "action", status: "succeed", data: "done", sync: "1" };
      await must(client.registerBranch({ gid, trans_type: "workflow", ...progress }));
    },
  };
}

const WORKFLOWS: readonly Kind[] = [
  workflow("workflow, nothing recorded", { half: false, refused: false }),
  workflow("workflow, half recorded", { half: true, refused: false }),
  workflow("workflow, to be undone", { half: true, refused: true }),
];

export const KINDS: readonly Kind[] = [...SAGAS, ...TWO_PHASE, ...MESSAGES, ...WORKFLOWS, DELAYED];

async function must(answer: Promise<{ readonly status: number; readonly body: object }>): Promise<void> {
  const { status, body } = await answer;
  if (status !== 200) throw new Error(`the coordinator answered ${status} ${JSON.stringify(body)}`);
}
