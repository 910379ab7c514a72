/** The HTTP transport: protocol.md 1 towards the coordinator, 6.1 towards branches. */
import {
  type AddressLike,
  type BranchInvocation,
  type BranchRegistration,
  type BranchReply,
  type CallLimits,
  type EncodedPayload,
  encoderOf,
  isBranchUrl,
  isHttpUrl,
  type Reply,
  type TopicChange,
  type TransactionRequest,
  type TransactionState,
  type Transport,
  toJsonText,
  type WorkflowState,
  withoutUserinfo,
} from "@dtm/client-core/internal";
import { type AnswerHeaders, BRANCH_KEYS, DtmError, type Outcome, outcomeFromHttp } from "@dtm/protocol";
import { baseOf, serverOf } from "./address.js";
import { Agents } from "./agents.js";
import { registrationBody, transactionBody } from "./bodies.js";
import { type Exchange, exchangeOver } from "./exchange.js";
import { askedWithoutToken, doneIn, gidIn, replyFrom, transactionIn, workflowIn } from "./replies.js";
import type { TlsOptions } from "./tls.js";

export interface HttpTransportOptions {
  readonly server: string;
  readonly token?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions | undefined;
  readonly branchTls?: TlsOptions | undefined;
  /** How requests travel. Default: over the network. */
  readonly exchange?: Exchange | undefined;
}

const JSON_HEADERS = { accept: "application/json", "content-type": "application/json" } as const;

export class HttpTransport implements Transport {
  readonly name = "http";
  readonly server: string;
  readonly concurrentMessages = true;
  readonly #coordinatorAgents: Agents;
  readonly #branchAgents: Agents;
  readonly #ask: Exchange;
  readonly #call: Exchange;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #hasCredentials: boolean;

  /** @throws DtmError OPTION_INVALID. */
  constructor(options: HttpTransportOptions) {
    this.server = serverOf(options.server, "server");
    this.#coordinatorAgents = new Agents(options.tls);
    this.#branchAgents = new Agents(options.branchTls);
    this.#ask = options.exchange ?? exchangeOver(this.#coordinatorAgents);
    this.#call = options.exchange ?? exchangeOver(this.#branchAgents);
    const token = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
    const own = { ...options.headers, ...token };
    this.#headers = { ...JSON_HEADERS, ...own };
    this.#hasCredentials = Object.keys(own).length > 0;
  }

  async newGid(limits: CallLimits): Promise<Reply<string>> {
    return replyFrom(await this.#get("newGid", {}, limits), gidIn);
  }

  async send(operation: "prepare" | "submit" | "abort", request: TransactionRequest, limits: CallLimits): Promise<Reply<void>> {
    return replyFrom(await this.#post(this.server, operation, transactionBody(request), limits), doneIn);
  }

  async registerBranch(registration: BranchRegistration, limits: CallLimits, coordinator?: string): Promise<Reply<void>> {
    const base = coordinator === undefined ? this.server : baseOf(coordinator, "coordinator");
    const reply = replyFrom(await this.#post(base, "registerBranch", registrationBody(registration), limits), doneIn);
    return this.#hasCredentials && !this.#isOwn(base) ? askedWithoutToken(reply, { named: base, own: this.server }) : reply;
  }

  async prepareWorkflow(request: TransactionRequest, limits: CallLimits): Promise<Reply<WorkflowState>> {
    return replyFrom(await this.#post(this.server, "prepareWorkflow", transactionBody(request), limits), workflowIn);
  }

  async query(gid: string, limits: CallLimits): Promise<Reply<TransactionState | null>> {
    return replyFrom(await this.#get("query", { gid }, limits), transactionIn);
  }

  requireQuery(): void {}

  async changeTopic(change: TopicChange, limits: CallLimits): Promise<Reply<void>> {
    return replyFrom(await this.#changeTopic(change, limits), doneIn);
  }

  #changeTopic(change: TopicChange, limits: CallLimits): ReturnType<Exchange> {
    switch (change.kind) {
      case "subscribe":
        return this.#get("subscribe", { topic: change.topic, url: change.url, remark: change.remark }, limits);
      case "unsubscribe":
        return this.#get("unsubscribe", { topic: change.topic, url: change.url }, limits);
      case "delete": {
        const url = `${this.server}/topic/${encodeURIComponent(change.topic)}`;
        return this.#ask({ method: "DELETE", url, headers: this.#headersFor(this.server) }, limits);
      }
      default:
        return change satisfies never;
    }
  }

  async callBranch(invocation: BranchInvocation, limits: CallLimits): Promise<BranchReply> {
    const { payload, phase2Url } = invocation;
    const url = withQuery(invocation.url, {
      [BRANCH_KEYS.coordinator]: invocation.coordinator ?? this.server,
      [BRANCH_KEYS.gid]: invocation.gid,
      [BRANCH_KEYS.branchId]: invocation.branchId,
      [BRANCH_KEYS.transType]: invocation.transType,
      [BRANCH_KEYS.op]: invocation.op,
      ...(phase2Url === undefined ? {} : { [BRANCH_KEYS.phase2Url]: phase2Url }),
    });
    // A message's query is a GET (3.5); try and XA calls are always a POST, with or without a body.
    const method = invocation.op === "msg" ? ("GET" as const) : ("POST" as const);
    const body = payload === undefined || payload.length === 0 ? {} : { body: payload };
    const answer = await this.#call({ method, url, headers: { ...JSON_HEADERS, ...invocation.headers }, ...body }, limits);
    if (answer.kind === "none") return { outcome: { kind: "unknown", message: answer.message }, body: Buffer.alloc(0) };
    const text = answer.body.toString("utf8");
    const headers = { "retry-after": answer.retryAfter };
    const outcome =
      invocation.strict === true ? strictly(answer.status, text, headers) : outcomeFromHttp(answer.status, text, headers);
    return { outcome, body: answer.body };
  }

  checkAddress(url: string, what: string): void {
    // Schemes of service discovery pass: the coordinator may know them.
    if (/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(url) && isBranchUrl(url)) return;
    throw new DtmError(
      "STEP_INVALID",
      `${what}: expected the URL of a service with its scheme, like "http://bank/debit", found ${JSON.stringify(withoutUserinfo(url))}`,
    );
  }

  checkCallable(url: string, what: string): void {
    if (isHttpUrl(url)) return;
    throw new DtmError(
      "STEP_INVALID",
      `${what}: expected a URL that this client can call itself, like "http://bank/debit", found ${JSON.stringify(withoutUserinfo(url))}`,
    );
  }

  encode(payload: unknown, addresses: readonly AddressLike[]): EncodedPayload {
    if (addresses.some((address) => encoderOf(address) !== null)) {
      throw new DtmError(
        "PAYLOAD_INVALID",
        "payload: expected an address that takes JSON, found one with a gRPC codec: use the gRPC client",
      );
    }
    return payload === undefined ? "" : toJsonText(payload);
  }

  close(): void {
    this.#coordinatorAgents.close();
    this.#branchAgents.close();
  }

  #get(operation: string, query: Readonly<Record<string, string>>, limits: CallLimits): ReturnType<Exchange> {
    return this.#ask(
      { method: "GET", url: withQuery(`${this.server}/${operation}`, query), headers: this.#headersFor(this.server) },
      limits,
    );
  }

  #post(base: string, operation: string, body: object, limits: CallLimits): ReturnType<Exchange> {
    const request = {
      method: "POST",
      url: `${base}/${operation}`,
      headers: this.#headersFor(base),
      body: JSON.stringify(body),
    } as const;
    return this.#ask(request, limits);
  }

  /** A branch call names a coordinator in its query, where anybody can write: token and headers go to our own only. */
  #headersFor(base: string): Readonly<Record<string, string>> {
    return this.#isOwn(base) ? this.#headers : JSON_HEADERS;
  }

  #isOwn(base: string): boolean {
    return new URL(base).origin === new URL(this.server).origin;
  }
}

/** The status alone decides (protocol.md 6.6); the text says why. */
function strictly(status: number, text: string, headers: AnswerHeaders): Outcome {
  const judged = outcomeFromHttp(status, "", headers);
  switch (judged.kind) {
    case "success":
      return judged;
    case "failure":
      return { ...judged, reason: text.replace(/ FAILURE$/, "") };
    case "ongoing":
      return { ...judged, reason: text.replace(/ ONGOING$/, "") };
    case "unknown":
      return text === "" ? judged : { ...judged, message: `${judged.message}: ${text}` };
    default:
      return judged satisfies never;
  }
}

function withQuery(url: string, query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  if (text === "") return url;
  const hash = url.indexOf("#");
  const bare = hash === -1 ? url : url.slice(0, hash);
  return `${bare}${bare.includes("?") ? "&" : "?"}${text}`;
}
