/**
 * What an answer means (protocol.md 3.2 to 3.4): the one place for HTTP, gRPC and JSON-RPC. Each transport has a table that
 * is read from the top, and the first row that matches decides.
 */
import type { Outcome } from "./outcome.js";
import { retryAfterMs } from "./retry-after.js";
import { JSON_RPC_FAILURE, JSON_RPC_ONGOING, RESULT } from "./words.js";

type Kind = Outcome["kind"];

interface Rule<Answer> {
  readonly kind: Kind;
  readonly when: (answer: Answer) => boolean;
}

interface HttpAnswer {
  readonly code: number;
  readonly body: string;
}

/**
 * The words count at every status: clients older than 1.10 put the verdict into a 200, and their users' gateways answer 500
 * with it (protocol.md 9, Q23). Nothing but 200 is a success, 201 and 204 included (Q24).
 */
const HTTP_RULES: readonly Rule<HttpAnswer>[] = [
  { kind: "ongoing", when: ({ code, body }) => code === 425 || body.includes(RESULT.ongoing) },
  { kind: "failure", when: ({ code, body }) => code === 409 || body.includes(RESULT.failure) },
  { kind: "unknown", when: ({ code }) => code !== 200 },
  { kind: "success", when: () => true },
];

export const GRPC = { ok: 0, unknown: 2, failedPrecondition: 9, aborted: 10 } as const;

interface GrpcAnswer {
  readonly code: number;
  readonly message: string;
}

/** Unlike HTTP's, the text of other statuses is not looked into. 409 and 425 are what PHP's handlers put there (Q45). */
const GRPC_RULES: readonly Rule<GrpcAnswer>[] = [
  { kind: "success", when: ({ code }) => code === GRPC.ok },
  { kind: "ongoing", when: ({ code, message }) => code === GRPC.aborted && message === RESULT.ongoing },
  { kind: "failure", when: ({ code }) => code === GRPC.aborted || code === 409 },
  { kind: "ongoing", when: ({ code }) => code === GRPC.failedPrecondition || code === 425 },
  { kind: "unknown", when: () => true },
];

/** Go compares these codes with the wrong number type and never sees them (Q3); here they count. */
const JSON_RPC_RULES: readonly Rule<{ readonly code: unknown }>[] = [
  { kind: "failure", when: ({ code }) => code === JSON_RPC_FAILURE },
  { kind: "ongoing", when: ({ code }) => code === JSON_RPC_ONGOING },
  { kind: "unknown", when: () => true },
];

export interface AnswerHeaders {
  readonly "retry-after"?: string | readonly string[] | undefined;
}

const NO_HEADERS: AnswerHeaders = {};

/** A reason is the body without the space around it, as Go's client reads it: many frameworks end theirs with a line break. */
export function outcomeFromHttp(code: number, body: string, headers: AnswerHeaders = NO_HEADERS): Outcome {
  const kind = decide(HTTP_RULES, { code, body });
  const said = kind === "success" ? body : body.trim();
  const text = kind === "unknown" && said === "" ? `participant answered ${code}` : said;
  return toOutcome(kind, text, { after: headers["retry-after"] });
}

export function outcomeFromGrpc(code: number, message: string): Outcome {
  const kind = decide(GRPC_RULES, { code, message });
  const text = kind === "unknown" ? `rpc error: code = ${grpcCodeName(code)} desc = ${message}` : message;
  return toOutcome(kind, text, { grpcCode: kind === "failure" ? GRPC.aborted : code });
}

/** The reply is read as an HTTP answer first, words included, and only a success is looked into. */
export function outcomeFromJsonRpc(code: number, body: string, headers: AnswerHeaders = NO_HEADERS): Outcome {
  const asHttp = outcomeFromHttp(code, body, headers);
  if (asHttp.kind !== "success") return asHttp;
  const reply = parseObject(body);
  if (reply === null) return { kind: "unknown", message: `the reply is not a JSON-RPC object: ${body}` };
  const error = reply["error"];
  if (error === undefined || error === null) return asHttp;
  return toOutcome(decide(JSON_RPC_RULES, { code: isObject(error) ? error["code"] : null }), body, {
    after: headers["retry-after"],
  });
}

function decide<Answer>(rules: readonly Rule<Answer>[], answer: Answer): Kind {
  for (const rule of rules) if (rule.when(answer)) return rule.kind;
  throw new Error("a table of outcome rules ends without a rule for every answer");
}

interface Extras {
  readonly grpcCode?: number;
  readonly after?: AnswerHeaders["retry-after"];
}

const SUCCESS: Outcome = { kind: "success" };

function toOutcome(kind: Kind, text: string, extras: Extras): Outcome {
  if (kind === "success") return SUCCESS;
  const grpcCode = extras.grpcCode === undefined ? {} : { grpcCode: extras.grpcCode };
  if (kind === "failure") return { kind, reason: withoutWord(text, RESULT.failure), ...grpcCode };
  const wait = retryAfterMs(extras.after);
  const later = wait === null ? {} : { retryAfterMs: wait };
  if (kind === "ongoing") return { kind, reason: withoutWord(text, RESULT.ongoing), ...later };
  return { kind, message: text, ...grpcCode, ...later };
}

/** The wire's form is `<text> FAILURE`; whoever writes it adds the word, so a text that has it already loses it once. */
function withoutWord(text: string, word: string): string {
  return text.endsWith(` ${word}`) ? text.slice(0, -word.length - 1) : text;
}

const GRPC_NAMES =
  "OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated".split(
    " ",
  );

/** As grpc-go prints them, since users search their logs for these. */
function grpcCodeName(code: number): string {
  return GRPC_NAMES[code] ?? `Code(${code})`;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
