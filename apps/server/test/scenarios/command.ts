/** From a line of a story to what it asks for. Strict: what isn't known is an error that names file and line, never left out. */
import type { BranchInput, TransactionInput } from "../../src/engine/coordinator.js";
import { DEFAULT_ENGINE_SETTINGS } from "../../src/engine/settings.js";
import type { GlobalStatus, TransactionType } from "../../src/engine/transaction.js";
import type { Store } from "../../src/stores/store.js";
import { aRegistration } from "../kit/inputs.js";
import type { Reply } from "../kit/scripted-participants.js";
import { readReplies, readReply } from "./reply.js";
import type { Line } from "./story.js";
import { readTransaction } from "./transaction-command.js";
import { Words } from "./words.js";

/** What a caller asks of a node. */
export type Ask =
  | { readonly verb: "prepare" | "submit" | "abort"; readonly input: TransactionInput }
  | { readonly verb: "register"; readonly input: BranchInput }
  | { readonly verb: "force-stop"; readonly gid: string; readonly reason: string }
  | { readonly verb: "nudge"; readonly gid: string }
  | { readonly verb: "reset-cron"; readonly timeoutSeconds: number | null; readonly limit: number };

export interface Asked {
  readonly node: string;
  readonly ask: Ask;
  /** How the transcript names it. */
  readonly label: string;
}

export type Command =
  | { readonly kind: "set"; readonly setting: string; readonly value: number }
  | { readonly kind: "topic"; readonly name: string; readonly urls: readonly string[] }
  | { readonly kind: "script"; readonly url: string; readonly replies: readonly Reply[] | "hold" }
  /** All in the same tick. */
  | { readonly kind: "ask"; readonly asked: readonly Asked[] }
  | { readonly kind: "answer"; readonly gid: string; readonly url: string; readonly reply: Reply }
  | { readonly kind: "advance"; readonly millis: number }
  | { readonly kind: "until"; readonly gid: string; readonly status: GlobalStatus }
  | { readonly kind: "start"; readonly node: string }
  | { readonly kind: "crash"; readonly node: string; readonly at: CrashPoint | null }
  | { readonly kind: "stop"; readonly node: string; readonly graceMs: number | null }
  | { readonly kind: "store"; readonly node: string | null; readonly down: boolean }
  | { readonly kind: "lose"; readonly node: string; readonly what: "request" | "reply"; readonly method: WriteMethod }
  /** Such writes wait before they are carried out. */
  | { readonly kind: "block" | "unblock"; readonly node: string; readonly method: WriteMethod }
  | { readonly kind: "show"; readonly what: "stuck" | "destinations" | { readonly gids: readonly string[] } }
  /** Keeps a crowd out of the transcript. */
  | { readonly kind: "hide" | "unhide"; readonly gids: readonly string[] };

export interface CrashPoint {
  readonly when: "before" | "after";
  readonly method: WriteMethod;
}

export const FIRST_NODE = "n1";
const TYPES = ["saga", "tcc", "xa", "msg", "workflow"] as const satisfies readonly TransactionType[];
const STATUSES = ["prepared", "submitted", "aborting", "succeed", "failed"] as const satisfies readonly GlobalStatus[];
const WRITES = [
  "create",
  "submit",
  "registerBranches",
  "change",
  "nudge",
  "move",
  "recordBranches",
  "rest",
  "claimDue",
] as const satisfies readonly (keyof Store)[];
export type WriteMethod = (typeof WRITES)[number];

const ASKS = ["prepare", "submit", "abort", "register", "force-stop", "nudge", "reset-cron", ...TYPES] as const;
const WORLD = [
  "set",
  "topic",
  "answer",
  "advance",
  "until",
  "start",
  "crash",
  "stop",
  "store",
  "lose",
  "block",
  "unblock",
  "show",
  "hide",
  "unhide",
] as const;

/** Besides what callers ask. */
const OF_A_NODE: ReadonlySet<string> = new Set(["store", "lose", "block", "unblock"]);

export function readCommand({ place, text }: Line): Command {
  if (/\s&\s/.test(text)) {
    const parts = text.split(/\s+&\s+/).map((part) => readOne(new Words(place, part)));
    return {
      kind: "ask",
      asked: parts.flatMap((part) =>
        part.kind === "ask" ? part.asked : new Words(place, text).fail("& joins what callers ask"),
      ),
    };
  }
  return readOne(new Words(place, text));
}

function readOne(words: Words): Command {
  const command = words.peek().startsWith("/") ? readScript(words) : readNamed(words);
  words.end();
  return command;
}

function readScript(words: Words): Command {
  const url = words.url();
  return { kind: "script", url, replies: words.took("hold") ? "hold" : readReplies(words) };
}

function readNamed(words: Words): Command {
  const node = words.took("on") ? words.next("a node") : null;
  const word = words.peek();
  if (ASKS.some((ask) => ask === word)) return { kind: "ask", asked: readAsks(words, node ?? FIRST_NODE) };
  const command = words.oneOf("command", [...WORLD, ...ASKS]);
  if (node !== null && !OF_A_NODE.has(command)) words.fail(`'${command}' is not asked of a node`);
  switch (command) {
    case "set":
      return { kind: "set", setting: readSetting(words), value: words.number("number") };
    case "topic":
      return { kind: "topic", name: words.next("a topic"), urls: Array.from({ length: words.left }, () => words.url()) };
    case "answer":
      return { kind: "answer", gid: words.gid(), url: words.url(), reply: readReply(words) };
    case "advance":
      return { kind: "advance", millis: words.span() };
    case "until":
      return { kind: "until", gid: words.gid(), status: words.oneOf("status", STATUSES) };
    case "start":
      return { kind: "start", node: words.next("a node") };
    case "crash":
      return { kind: "crash", node: words.next("a node"), at: words.left === 0 ? null : readCrashPoint(words) };
    case "stop":
      return { kind: "stop", node: words.next("a node"), graceMs: words.took("grace") ? words.span() : null };
    case "store":
      return { kind: "store", node, down: words.oneOf("state of the store", ["down", "up"]) === "down" };
    case "lose": {
      const what = words.oneOf("part of a write", ["request", "reply"]);
      return { kind: "lose", node: node ?? FIRST_NODE, what, method: words.oneOf("write", WRITES) };
    }
    case "block":
    case "unblock":
      return { kind: command, node: node ?? FIRST_NODE, method: words.oneOf("write", WRITES) };
    case "show":
      if (words.took("stuck")) return { kind: "show", what: "stuck" };
      if (words.took("destinations")) return { kind: "show", what: "destinations" };
      return { kind: "show", what: { gids: words.gids() } };
    case "hide":
    case "unhide":
      return { kind: command, gids: words.gids() };
    default:
      return words.fail(`'${command}' is no command`);
  }
}

function readSetting(words: Words): string {
  const { types, ...engine } = DEFAULT_ENGINE_SETTINGS;
  const known = [...Object.keys(engine), ...TYPES.flatMap((type) => Object.keys(types[type]).map((name) => `${type}.${name}`))];
  return words.oneOf("setting", known);
}

function readCrashPoint(words: Words): CrashPoint {
  return { when: words.oneOf("moment", ["before", "after"]), method: words.oneOf("write", WRITES) };
}

function readAsks(words: Words, node: string): Asked[] {
  const asked = (ask: Ask, gid: string): Asked => ({ node, ask, label: `${ask.verb}${gid === "" ? "" : ` ${gid}`}` });
  const verb = words.oneOf("command", ASKS);
  switch (verb) {
    case "prepare":
    case "submit":
    case "abort": {
      const type = words.oneOf("type", TYPES);
      return readTransaction(words, verb, type).map((input) => asked({ verb, input }, input.gid));
    }
    case "register": {
      const input = readRegistration(words);
      return [asked({ verb, input }, `${input.gid} ${input.branchId}`)];
    }
    case "force-stop": {
      const gid = words.gid();
      return [asked({ verb, gid, reason: words.peek().startsWith("reason=") ? readField(words, ["reason"])[1] : "" }, gid)];
    }
    case "nudge":
      return words.gids().map((gid) => asked({ verb, gid }, gid));
    case "reset-cron": {
      let [timeoutSeconds, limit]: [number | null, number] = [null, 100];
      while (words.left > 0) {
        const [name, value] = readField(words, ["timeout", "limit"]);
        if (name === "timeout") timeoutSeconds = words.span(value) / 1000;
        else limit = Number(value);
      }
      return [asked({ verb, timeoutSeconds, limit }, "")];
    }
    default:
      return readTransaction(words, "submit", verb).map((input) => asked({ verb: "submit", input }, input.gid));
  }
}

const REGISTRATION = ["confirm", "cancel", "url", "op", "status"] as const;

function readRegistration(words: Words): BranchInput {
  const type = words.oneOf("type", ["tcc", "xa", "workflow", "saga", "msg"]);
  const gid = words.gid();
  const branchId = words.next("a branch id");
  const fields: Record<string, string> = {};
  while (words.left > 0) {
    const [name, value] = readField(words, REGISTRATION);
    fields[name] = value;
  }
  return aRegistration(type, gid, branchId, fields);
}

function readField<N extends string>(words: Words, names: readonly N[]): readonly [N, string] {
  const word = words.next("an option");
  const [name, value] = [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1).replaceAll('"', "")];
  const found = names.find((each) => each === name);
  if (found === undefined || !word.includes("=")) return words.fail(`'${word}' is no option; expected ${names.join("=…, ")}=…`);
  return [found, value];
}
