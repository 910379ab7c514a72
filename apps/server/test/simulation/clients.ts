/** The applications of a world: they start transactions, repeat what got no answer, change their mind, fall silent. */
import type { BranchInput, Coordinator, TransactionInput } from "../../src/engine/coordinator.js";
import type { Refusal } from "../../src/engine/refusal.js";
import { NO_OPTIONS, type TransactionOptions, type TransactionType } from "../../src/engine/transaction.js";
import type { Node } from "./node.js";
import type { World } from "./world.js";

export type Heard =
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "unknown" };

/** What the client of a transaction knows and wants; the world is judged against it. */
export interface Story {
  readonly gid: string;
  readonly type: TransactionType;
  readonly steps: number;
  readonly concurrent: boolean;
  readonly orders: Readonly<Record<string, readonly number[]>>;
  delaySeconds: number;
  ackedPrepare: boolean;
  ackedSubmit: boolean;
  ackedAbort: boolean;
  /** Branches whose registration was acknowledged. */
  readonly registered: string[];
  /** Of a msg: did the local transaction commit? */
  local: "open" | "committed" | "rolled back";
  forced: boolean;
}

const NOTHING = new Uint8Array(0);

function options(world: World, type: TransactionType): TransactionOptions {
  const { random } = world;
  return {
    ...NO_OPTIONS,
    waitResult: random.chance(0.3),
    timeoutToFail: random.chance(0.4) ? random.between(4, 20) : 0,
    retryLimit: type === "saga" && random.chance(0.2) ? random.between(1, 2) : 0,
    requestTimeout: random.chance(0.2) ? random.between(1, 4) : 0,
  };
}

function input(story: Story, chosen: TransactionOptions, customData = ""): TransactionInput {
  const steps = Array.from({ length: story.steps }, (_, i) => ({
    action: `${story.gid}/do/${i}`,
    compensate: `${story.gid}/undo/${i}`,
  }));
  return {
    gid: story.gid,
    type: story.type,
    protocol: "http",
    steps: story.type === "saga" || story.type === "msg" ? steps : [],
    payloads: steps.map(() => NOTHING),
    queryPrepared: story.type === "msg" || story.type === "workflow" ? `${story.gid}/callback` : "",
    customData,
    options: chosen,
    rollbackReason: "",
    extra: {},
  };
}

function branch(story: Story, branchId: string, extra: Partial<BranchInput>): BranchInput {
  const url = `${story.gid}/phase2/${branchId}`;
  const place = { gid: story.gid, type: story.type, branchId };
  return { ...place, payload: NOTHING, confirm: url, cancel: url, url, op: "", status: "", ...extra };
}

export async function runClient(world: World, story: Story): Promise<void> {
  await world.sleep(world.random.between(0, 4_000));
  switch (story.type) {
    case "saga":
      return runSaga(world, story);
    case "msg":
      return runMsg(world, story);
    case "tcc":
    case "xa":
      return runPhases(world, story);
    case "workflow":
      world.services.callbacks.set(story.gid, async (node) => ({
        kind: (await runWorkflow(world, story, node)) ? "success" : "unknown",
        message: "crashed",
      }));
      await runWorkflow(world, story, null);
  }
}

async function runSaga(world: World, story: Story): Promise<void> {
  const customData = story.concurrent ? JSON.stringify({ concurrent: true, orders: story.orders }) : "";
  const body = input(story, options(world, "saga"), customData);
  const heard = await persist(world, (node) => node.core.coordinator.submit(body));
  story.ackedSubmit = heard.kind === "done" || (heard.kind === "refused" && heard.refusal.form.http === 409);
}

async function runMsg(world: World, story: Story): Promise<void> {
  const { random } = world;
  const chosen = options(world, "msg");
  const delay = random.chance(0.3) ? random.between(1, 12) : 0;
  world.services.callbacks.set(story.gid, async () => {
    if (story.local === "open" && random.chance(0.3)) return { kind: "ongoing", reason: "ONGOING" };
    if (story.local === "open") story.local = "rolled back";
    return story.local === "committed" ? { kind: "success" } : { kind: "failure", reason: "not committed" };
  });
  const prepared = await persist(world, (node) => node.core.coordinator.prepare(input(story, chosen)));
  story.ackedPrepare = prepared.kind === "done";
  if (!story.ackedPrepare) {
    story.local = "rolled back";
    return;
  }
  await world.sleep(random.between(0, 3_000));
  if (story.local === "open") story.local = random.chance(0.7) ? "committed" : "rolled back";
  if (random.chance(0.2)) return;
  if (story.local === "committed") {
    const body = input(story, { ...chosen, concurrent: random.chance(0.3) }, delay > 0 ? JSON.stringify({ delay }) : "");
    const submitted = await persist(world, (node) => {
      if (world.peek(story.gid)?.transaction.status === "prepared") story.delaySeconds = delay;
      return node.core.coordinator.submit(body);
    });
    story.ackedSubmit = submitted.kind === "done";
    return;
  }
  const aborted = await persist(world, (node) => node.core.coordinator.abort(input(story, chosen)));
  story.ackedAbort = aborted.kind === "done";
}

async function runPhases(world: World, story: Story): Promise<void> {
  const { random, services } = world;
  const body = input(story, options(world, story.type));
  const prepared = await persist(world, (node) => node.core.coordinator.prepare(body));
  story.ackedPrepare = prepared.kind === "done";
  if (!story.ackedPrepare) return;
  let good = true;
  for (let i = 1; i <= story.steps && good; i++) {
    const branchId = `0${i}`;
    const registered = await world.ask((node) => node.core.coordinator.registerBranch(branch(story, branchId, {})));
    if (registered.kind === "done") story.registered.push(branchId);
    good = registered.kind === "done" && !random.chance(0.12) && services.attempt(story.gid, branchId);
    await world.sleep(random.between(0, 1_500));
  }
  if (random.chance(0.15)) return;
  const ask = (node: Node): Promise<void> =>
    good ? node.core.coordinator.submit(body) : node.core.coordinator.abort({ ...body, rollbackReason: "a try failed" });
  const heard = await persist(world, ask);
  if (good) story.ackedSubmit = heard.kind === "done";
  else story.ackedAbort = heard.kind === "done";
}

/** The application runs its workflow from stored progress; false: it died on the way, or got no answer. */
async function runWorkflow(world: World, story: Story, via: Node | null): Promise<boolean> {
  const { random, services } = world;
  const ask = <T>(call: (coordinator: Coordinator) => Promise<T>): Promise<T | null> =>
    new Promise((resolve) => {
      void world
        .ask((node) => call((via?.alive ? via : node).core.coordinator).then((value) => resolve(value)))
        .then((heard) => heard.kind !== "done" && resolve(null));
    });
  const body = input(story, options(world, "workflow"), JSON.stringify({ name: "story", data: "" }));
  const loaded = await ask((coordinator) => coordinator.prepareWorkflow(body));
  if (loaded === null) return false;
  story.ackedPrepare = true;
  if (loaded.transaction.status !== "prepared") return true;
  const progress = new Set(loaded.branches.map((row) => row.branchId));
  for (let i = 1; i <= story.steps; i++) {
    const branchId = `0${i}`;
    if (progress.has(branchId)) continue;
    if (!world.healed && random.chance(0.15)) return false;
    services.attempt(story.gid, branchId);
    await world.sleep(random.between(0, 300));
    const registered = await ask(async (coordinator) => {
      await coordinator.registerBranch(branch(story, branchId, { op: "action", status: "succeed" }));
      return true;
    });
    if (registered === null) return false;
    story.registered.push(branchId);
  }
  const status = story.steps === 3 ? "failed" : "succeed";
  const ended = await ask(async (coordinator) => {
    await coordinator.submit({ ...body, extra: { status, result: "", rollback_reason: "" } });
    return true;
  });
  story.ackedSubmit ||= ended !== null;
  return ended !== null;
}

/** Repeats with the same gid what got no answer, as our SDKs do. */
async function persist(world: World, call: (node: Node) => Promise<void>): Promise<Heard> {
  let heard: Heard = { kind: "unknown" };
  for (let attempt = 0; attempt < 3 && heard.kind === "unknown"; attempt++) {
    if (attempt > 0) await world.sleep(world.random.between(100, 2_000));
    heard = await world.ask(call);
  }
  return heard;
}
