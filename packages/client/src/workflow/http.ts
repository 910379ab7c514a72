/** The callback of workflows over HTTP: the coordinator posts a workflow's data, with its name as `op` and its gid in the query. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { BRANCH_KEYS, Ongoing, RESULT } from "@dtm/protocol";
import { logError, type Named, type OnError, report } from "./report.js";
import type { Workflows } from "./workflows.js";

/** The most that a workflow's data may have, in bytes: what the coordinator takes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Settings of {@link workflowListener}. */
export interface WorkflowListenerOptions {
  /** Told of every error that leaves a workflow open. Default: `console.error`. */
  readonly onError?: OnError | undefined;
}

/**
 * Serves the callback of `workflows`, with or without a body parser before it: `app.all("/workflows", workflowListener(workflows))`. Answers 200
 * for a workflow that has succeeded, 409 for one that was rolled back, 425 for one that isn't done, 500 for everything else.
 */
export function workflowListener(workflows: Workflows, options: WorkflowListenerOptions = {}): RequestListener {
  const { onError = logError } = options;
  return (request, response) => {
    void answerTo(workflows, request, onError).then(({ status, body }) => write(response, status, body));
  };
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

type Request = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

/** Never rejects: nobody would catch it, and the process would end. */
async function answerTo(workflows: Workflows, request: Request, onError: OnError): Promise<Answer> {
  const { name, gid } = namedIn(request.originalUrl ?? request.url ?? "/");
  if (name === "" || gid === "")
    return { status: 400, body: { message: "expected op and gid in the query: is this the coordinator?" } };
  try {
    const data = await readBody(request);
    if (data === null) return { status: 413, body: { message: `the data is over ${MAX_BODY_BYTES} bytes` } };
    const resumed = await workflows.resume(name, gid, data);
    if (resumed.status === "succeed") return { status: 200, body: { dtm_result: RESULT.success } };
    return { status: 409, body: { dtm_result: RESULT.failure, message: resumed.reason } };
  } catch (error) {
    if (error instanceof Ongoing) return { status: 425, body: { dtm_result: RESULT.ongoing, message: error.message } };
    void report(onError, error, { name, gid });
    return { status: 500, body: { message: "the workflow stays open: the service's log tells why" } };
  }
}

/** Empty for a path that is no URL, like `//`. */
function namedIn(path: string): Named {
  const query = URL.canParse(path, "http://localhost") ? new URL(path, "http://localhost").searchParams : new URLSearchParams();
  return { name: query.get(BRANCH_KEYS.op) ?? "", gid: query.get(BRANCH_KEYS.gid) ?? "" };
}

/**
 * Empty when there is none: a workflow has no input then, and none may be made of one that was lost.
 *
 * @throws Error when something has read it and left nothing.
 */
async function readBody(request: Request): Promise<Uint8Array | null> {
  // Parsers leave {} also where they have read nothing, like Express 4's for a content type that isn't theirs.
  if (request.readableDidRead === false) return readAll(request);
  if (!hasBody(request)) return new Uint8Array();
  const { body } = request;
  if (body instanceof Uint8Array) return body;
  if (typeof body === "string") return Buffer.from(body);
  if (body !== undefined) return Buffer.from(JSON.stringify(body));
  if (request.readableEnded) {
    throw new Error("the callback's body was read before workflowListener, by something that left nothing in request.body");
  }
  return readAll(request);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Null when it is too long. */
async function readAll(request: IncomingMessage): Promise<Uint8Array | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function write(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
