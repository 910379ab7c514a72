/** From what a client asked to the rows that are stored: options, first schedule, and the branches of protocol.md 4.3. */
import { TOPIC_PREFIX } from "@dtm/protocol";
import type { TopicRegistry, TransactionInput } from "./coordinator.js";
import { baseInterval } from "./pace.js";
import { checkOrders, type Plan, readPlan } from "./plan.js";
import { Refusal } from "./refusal.js";
import type { TypeSettings } from "./settings.js";
import type { Branch, GlobalStatus, Loaded, Millis, Owner, Transaction, TransactionType } from "./transaction.js";
import { checkCount, checkSeconds } from "./validate.js";

export interface Creation {
  readonly type: TransactionType;
  readonly status: GlobalStatus;
  readonly settings: TypeSettings;
  readonly owner: Owner;
  readonly now: Millis;
}

/** Synchronous unless a step names a topic: subscribers are fixed here, for a prepared msg at prepare (R29). */
export function createLoaded(
  input: TransactionInput,
  creation: Creation,
  topics: Pick<TopicRegistry, "subscribers">,
): Loaded | Promise<Loaded> {
  checkPlan(input, creation.type);
  const transaction = newTransaction(input, creation);
  const branches = new Branches(transaction);
  switch (creation.type) {
    case "saga":
      for (const [index, step] of input.steps.entries()) {
        const payload = payloadAt(input, index);
        branches.add(branchId(index), "compensate", step.compensate, payload);
        branches.add(branchId(index), "action", step.action, payload);
      }
      break;
    case "msg":
      if (input.steps.some((step) => step.action.startsWith(TOPIC_PREFIX)))
        return withTopics(input, transaction, branches, topics);
      for (const [index, step] of input.steps.entries())
        branches.add(branchId(index), "action", step.action, payloadAt(input, index));
      break;
    case "tcc":
    case "xa":
    case "workflow":
      break;
  }
  return { transaction, branches: branches.list };
}

export function newBranch(
  transaction: Pick<Transaction, "gid">,
  now: Millis,
  { branchId, op, url, payload, status }: Pick<Branch, "branchId" | "op" | "url" | "payload" | "status">,
): Branch {
  return {
    id: 0,
    gid: transaction.gid,
    branchId,
    op,
    url,
    payload,
    status,
    createTime: now,
    updateTime: now,
    finishTime: status === "succeed" ? now : null,
    rollbackTime: status === "failed" ? now : null,
  };
}

async function withTopics(
  input: TransactionInput,
  transaction: Transaction,
  branches: Branches,
  topics: Pick<TopicRegistry, "subscribers">,
): Promise<Loaded> {
  for (const [index, step] of input.steps.entries()) {
    const payload = payloadAt(input, index);
    if (!step.action.startsWith(TOPIC_PREFIX)) {
      branches.add(branchId(index), "action", step.action, payload);
      continue;
    }
    const urls = await topics.subscribers(step.action.slice(TOPIC_PREFIX.length));
    if (urls === null || urls.length === 0) throw new Refusal("TOPIC_NOT_FOUND", "topic not found");
    checkCount("branches", branches.list.length + urls.length);
    for (const [place, url] of urls.entries()) {
      branches.add(urls.length === 1 ? branchId(index) : `${branchId(index)}-${branchId(place)}`, "action", url, payload);
    }
  }
  return { transaction, branches: branches.list };
}

function newTransaction(input: TransactionInput, creation: Creation): Transaction {
  const { type, status, settings, owner, now } = creation;
  const interval = baseInterval(input.options, settings);
  return {
    id: 0,
    gid: input.gid,
    type,
    status,
    protocol: input.protocol,
    queryPrepared: input.queryPrepared,
    options: input.options,
    customData: input.customData,
    createTime: now,
    updateTime: now,
    submitTime: status === "submitted" ? now : null,
    finishTime: null,
    rollbackTime: null,
    nextCronInterval: interval,
    nextCronTime: firstDue(creation, interval),
    owner,
    result: "",
    rollbackReason: "",
    attempts: 0,
    refusals: 0,
    wake: 0,
    waitingOn: "",
  };
}

/** One interval on (protocol.md 4.1); what is submitted without a driver is due at once (R17). */
function firstDue({ status, owner, now }: Creation, interval: number): Millis {
  return status === "submitted" && owner === "" ? now : now + interval * 1000;
}

function checkPlan(input: TransactionInput, type: TransactionType): void {
  try {
    const plan: Plan = readPlan(type, input.customData);
    checkSeconds("delay", plan.delay);
    if (plan.orders.size > 0) checkOrders(plan, input.steps.length);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal("INVALID_INPUT", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** `01`, `02`, … by 0-based index. */
function branchId(index: number): string {
  return String(index + 1).padStart(2, "0");
}

function payloadAt(input: TransactionInput, index: number): Uint8Array {
  const payload = input.payloads[index];
  if (payload === undefined) throw new Refusal("INVALID_INPUT", `step ${index} has no payload`);
  return payload;
}

class Branches {
  readonly list: Branch[] = [];
  constructor(private readonly transaction: Transaction) {}

  add(id: string, op: string, url: string, payload: Uint8Array): void {
    this.list.push(
      newBranch(this.transaction, this.transaction.createTime, { branchId: id, op, url, payload, status: "prepared" }),
    );
  }
}
