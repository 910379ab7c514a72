/** The callback of workflows over HTTP: the coordinator posts a workflow's data, with its name as `op` and its gid in the query. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { BRANCH_KEYS, Ongoing, RESULT } from "@dtm/protocol";
import type { Workflows } from "./workflows.js";

/** The most that a workflow's data may have, in bytes: what the coordinator takes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Settings of {@link workflowListener}. */
export interface WorkflowListenerOptions {
  /** Told of every error that leaves a workflow open. Default: `console.error`. */
  readonly onError?: ((error: unknown, workflow: { readonly name: string; readonly gid: string }) => void) | undefined;
}

/**
 * Serves the callback of `workflows`, with or without a body parser before it: `app.all("/workflows", workflowListener(workflows))`. Answers 200
 * for a workflow that has succeeded, 409 for one that was rolled back, 425 for one that isn't done, 500 for everything else.
 */
export function workflowListener(workflows: Workflows, options: WorkflowListenerOptions = {}): RequestListener {
  const { onError = (error, { name, gid }) => console.error(`workflow ${name} (${gid}) stays open:`, error) } = options;
  return (request, response) => {
    void serve(workflows, request, onError).then(({ status, body }) => write(response, status, body));
  };
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

async function serve(
  workflows: Workflows,
  request: IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown },
  onError: NonNullable<WorkflowListenerOptions["onError"]>,
): Promise<Answer> {
  const query = new URL(request.originalUrl ?? request.url ?? "/", "http://localhost").searchParams;
  const name = query.get(BRANCH_KEYS.op) ?? "";
  const gid = query.get(BRANCH_KEYS.gid) ?? "";
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
    onError(error, { name, gid });
    return { status: 500, body: { message: "the workflow stays open: the service's log tells why" } };
  }
}

async function readBody(request: IncomingMessage & { readonly body?: unknown }): Promise<Uint8Array | null> {
  const { body } = request;
  if (request.readableEnded || body !== undefined) {
    if (body instanceof Uint8Array) return body;
    const parsed = request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined;
    return parsed || body === undefined ? new Uint8Array() : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  }
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
