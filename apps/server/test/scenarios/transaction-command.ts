/** `saga g1 concurrent timeout=60s: /debit /ship<-/debit`: from a story's words to what a client sends. */
import type { StepInput, TransactionInput } from "../../src/engine/coordinator.js";
import type { TransactionOptions, TransactionType } from "../../src/engine/transaction.js";
import { anInput } from "../kit/inputs.js";
import type { Words } from "./words.js";

const FLAGS = ["wait", "concurrent"] as const;
const FIELDS = [
  "timeout",
  "request-timeout",
  "retry",
  "retry-limit",
  "delay",
  "query",
  "name",
  "status",
  "reason",
  "result",
] as const;
const TOPIC = "topic://";

type Field = (typeof FIELDS)[number];

interface Said {
  readonly flags: Set<(typeof FLAGS)[number]>;
  readonly fields: Map<Field, string>;
}

/** One input per gid of the range. */
export function readTransaction(words: Words, verb: "prepare" | "submit" | "abort", type: TransactionType): TransactionInput[] {
  const [head, steps] = halves(words);
  const gids = head.gids();
  const said = readSaid(head);
  if (steps === null && (type === "saga" || type === "msg") && verb === "prepare")
    words.fail(`a ${type} has steps: ${type} g1: /a`);
  const parsed = steps === null ? NO_STEPS : readSteps(steps, type);
  const input = {
    steps: parsed.steps,
    customData: customData(words, type, said, parsed.orders),
    queryPrepared: said.fields.get("query") ?? "",
    rollbackReason: verb === "abort" ? (said.fields.get("reason") ?? "") : "",
    extra: type === "workflow" && verb === "submit" ? ending(said) : {},
    options: readOptions(words, type, said),
  };
  return gids.map((gid) => anInput(type, gid, input));
}

interface Steps {
  readonly steps: readonly StepInput[];
  readonly orders: Readonly<Record<number, readonly number[]>>;
}

const NO_STEPS: Steps = { steps: [], orders: {} };

function halves(words: Words): [Words, Words | null] {
  const rest: string[] = [];
  while (words.left > 0) rest.push(words.next("a word"));
  const colon = rest.findIndex((word) => word.endsWith(":"));
  if (colon === -1) return [words.of(rest.join(" ")), null];
  const head = [...rest.slice(0, colon), (rest[colon] ?? "").slice(0, -1)];
  return [words.of(head.join(" ")), words.of(rest.slice(colon + 1).join(" "))];
}

function readSaid(words: Words): Said {
  const said: Said = { flags: new Set(), fields: new Map() };
  while (words.left > 0) {
    const word = words.next("an option");
    const flag = FLAGS.find((each) => each === word);
    const field = FIELDS.find((each) => word.startsWith(`${each}=`));
    if (flag !== undefined) said.flags.add(flag);
    else if (field !== undefined) said.fields.set(field, word.slice(field.length + 1).replaceAll('"', ""));
    else words.fail(`'${word}' is no option; expected ${[...FLAGS, ...FIELDS.map((name) => `${name}=…`)].join(", ")}`);
  }
  return said;
}

function readOptions(words: Words, type: TransactionType, { flags, fields }: Said): Partial<TransactionOptions> {
  const seconds = (name: Field): number => {
    const value = fields.get(name);
    return value === undefined ? 0 : words.span(value) / 1000;
  };
  return {
    waitResult: flags.has("wait"),
    concurrent: type === "msg" && flags.has("concurrent"),
    timeoutToFail: seconds("timeout"),
    requestTimeout: seconds("request-timeout"),
    retryInterval: seconds("retry"),
    retryLimit: Number(fields.get("retry-limit") ?? 0),
  };
}

/** An action's compensation is `<action>-undo`; `/a!` has none, `/c<-/a,/b` comes after both. */
function readSteps(words: Words, type: TransactionType): Steps {
  const steps: StepInput[] = [];
  const orders: Record<number, readonly number[]> = {};
  while (words.left > 0) {
    const word = words.next("a step");
    const [, action = "", mark, after] = /^((?:topic:\/\/|\/)[\w./-]*?)(!)?(?:<-(.+))?$/.exec(word) ?? [];
    if (action === "" || (action.startsWith(TOPIC) && type !== "msg")) words.fail(`'${word}' is no step of a ${type}`);
    if (after !== undefined) orders[steps.length] = after.split(",").map((earlier) => placeOf(words, steps, earlier));
    steps.push({ action, compensate: type === "saga" && mark === undefined ? `${action}-undo` : "" });
  }
  return { steps, orders };
}

function placeOf(words: Words, steps: readonly StepInput[], action: string): number {
  const place = steps.findIndex((step) => step.action === action);
  return place === -1 ? words.fail(`'${action}' is no earlier step`) : place;
}

function customData(words: Words, type: TransactionType, { flags, fields }: Said, orders: Steps["orders"]): string {
  const ordered = Object.keys(orders).length > 0;
  const only = (field: Field, owner: TransactionType): void => {
    if (fields.has(field) && type !== owner) words.fail(`${field}= belongs to a ${owner}`);
  };
  only("delay", "msg");
  only("name", "workflow");
  if (flags.has("concurrent") && type !== "saga" && type !== "msg") words.fail(`a ${type} has no concurrent`);
  if (ordered && !(type === "saga" && flags.has("concurrent"))) words.fail("only a concurrent saga has orders");
  if (type === "saga" && flags.has("concurrent")) return JSON.stringify({ concurrent: true, ...(ordered ? { orders } : {}) });
  const delay = fields.get("delay");
  if (delay !== undefined) return JSON.stringify({ delay: words.span(delay) / 1000 });
  const name = fields.get("name");
  return name === undefined ? "" : JSON.stringify({ name, data: "" });
}

function ending({ fields }: Said): Record<string, string> {
  return {
    status: fields.get("status") ?? "",
    rollback_reason: fields.get("reason") ?? "",
    result: fields.get("result") ?? "",
  };
}
