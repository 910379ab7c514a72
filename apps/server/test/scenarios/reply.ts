/** How a service answers, in a story's words. */
import { REPLIES, type Reply } from "../kit/scripted-participants.js";
import type { Words } from "./words.js";

const KINDS = {
  ok: REPLIES.ok,
  refuse: REPLIES.refuse,
  ongoing: REPLIES.ongoing,
  error: REPLIES.error,
  hang: REPLIES.hang,
  /** The service did it; the coordinator can't know. */
  "lost-reply": { outcome: { kind: "unknown", message: "the reply was lost" } },
  "lost-request": { outcome: { kind: "unknown", message: "the request was lost" } },
} as const satisfies Record<string, Reply>;

/** `ok, error after 2s, ongoing retry-after 60s`: one per call, the last one stays. */
export function readReplies(words: Words): readonly Reply[] {
  const replies: Reply[] = [];
  const names = Object.keys(KINDS);
  let more = true;
  while (more) {
    const word = words.next("a reply");
    more = word.endsWith(",");
    const kind = more ? word.slice(0, -1) : word;
    if (!isKind(kind)) return words.fail(`'${kind}' is no reply; expected ${[...names, "hold"].join(", ")}`);
    let reply: Reply = KINDS[kind];
    while (!more && words.left > 0) {
      const detail = words.oneOf("detail of a reply", ["after", "retry-after"]);
      const span = words.next("a span of time");
      more = span.endsWith(",");
      const millis = words.span(more ? span.slice(0, -1) : span);
      reply = detail === "after" ? { ...reply, afterMs: millis } : withRetryAfter(words, reply, millis);
    }
    replies.push(reply);
  }
  return replies;
}

export function readReply(words: Words): Reply {
  const [reply, another] = readReplies(words);
  if (reply === undefined || another !== undefined) return words.fail("one call gets one reply");
  return reply;
}

/** As the transcript says it. */
export function showOutcome(outcome: Reply["outcome"]): string {
  switch (outcome.kind) {
    case "success":
      return "ok";
    case "failure":
      return `refused, ${outcome.reason}`;
    case "ongoing":
      return "ongoing";
    case "unknown":
      return `error, ${outcome.message}`;
  }
}

function withRetryAfter(words: Words, reply: Reply, retryAfterMs: number): Reply {
  const { outcome } = reply;
  if (outcome.kind !== "ongoing" && outcome.kind !== "unknown") return words.fail("only ongoing and errors say retry-after");
  return { ...reply, outcome: { ...outcome, retryAfterMs } };
}

function isKind(word: string): word is keyof typeof KINDS {
  return Object.hasOwn(KINDS, word);
}
