/** The gRPC transport: protocol.md 2. What gRPC has no call for, and branches with HTTP addresses, go over HTTP. */
import {
  type AddressLike,
  type BranchInvocation,
  type BranchRegistration,
  type BranchReply,
  type CallLimits,
  clientClosed,
  Deadline,
  describe,
  type EncodedPayload,
  encoderOf,
  isBranchUrl,
  isHttpUrl,
  isMethodAddress,
  type Reply,
  type TopicChange,
  type TransactionRequest,
  type TransactionState,
  type Transport,
  toJsonText,
  type WorkflowState,
  withoutUserinfo,
} from "@dtm/client-core/internal";
import type { TlsOptions } from "@dtm/client-http";
import { askedWithoutToken, baseOf, HttpTransport, serverOf } from "@dtm/client-http/internal";
import {
  BRANCH_KEYS,
  DtmError,
  dtmgimp,
  GRPC,
  METADATA_PREFIX,
  type Outcome,
  outcomeFromGrpc,
  TOPIC_PREFIX,
} from "@dtm/protocol";
import { branchTargetOf, httpServerOf, targetOf } from "./address.js";
import { Channels, type UnaryAnswer } from "./channels.js";
import { branchMessage, bytesOf, isDenied, replyFrom, requestMessage, workflowFrom } from "./messages.js";
import { checkCarried, workflowNameIn } from "./texts.js";

export interface GrpcTransportOptions {
  readonly server: string;
  readonly httpServer?: string | undefined;
  readonly token?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions | undefined;
  readonly branchTls?: TlsOptions | undefined;
}

const OPERATIONS = { prepare: "Prepare", submit: "Submit", abort: "Abort" } as const;
const EMPTY = Buffer.alloc(0);
const isHttp = (url: string): boolean => /^https?:\/\//i.test(url);

export class GrpcTransport implements Transport {
  readonly name = "grpc";
  readonly server: string;
  readonly concurrentMessages = false;
  readonly #options: GrpcTransportOptions;
  readonly #coordinators: Channels;
  readonly #branches: Channels;
  readonly #httpServer: string | null;
  #http: HttpTransport | null = null;
  #tokenless: HttpTransport | null = null;
  #closed = false;

  /** @throws DtmError OPTION_INVALID. */
  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.server = targetOf(options.server);
    this.#coordinators = new Channels(options.tls);
    this.#branches = new Channels(options.branchTls);
    const { httpServer } = options;
    if (httpServer !== undefined) serverOf(httpServer, "httpServer");
    this.#httpServer = httpServer === undefined ? httpServerOf(this.server, options.tls !== undefined) : httpServer;
    if (this.#httpServer !== null) this.#ownHttp(this.#httpServer);
  }

  async newGid(limits: CallLimits): Promise<Reply<string>> {
    return replyFrom(await this.#ask("NewGid", EMPTY, limits), (bytes) => {
      const { Gid } = dtmgimp.DtmGidReply.decode(bytes);
      if (Gid === "") throw new Error("no gid in it");
      return Gid;
    });
  }

  async send(operation: keyof typeof OPERATIONS, request: TransactionRequest, limits: CallLimits): Promise<Reply<void>> {
    // What was made over HTTP can be taken back here.
    if (operation !== "abort") checkCarried("gid", request.gid);
    const message = dtmgimp.DtmRequest.encode(requestMessage(request)).finish();
    const deadline = new Deadline(limits);
    const answer = await this.#ask(OPERATIONS[operation], message, limits);
    const waiting = operation !== "prepare" && request.options.waitResult;
    const ours = waiting && isDenied(answer) && (await this.#isDeniedAll(deadline.share(1)));
    return replyFrom(answer, nothing, waiting && !ours);
  }

  async registerBranch(registration: BranchRegistration, limits: CallLimits, coordinator?: string): Promise<Reply<void>> {
    const own = coordinator === undefined || this.#isOwnHttp(coordinator);
    if (!own && isHttp(coordinator)) return this.#registerOverHttp(registration, limits, coordinator);
    const message = dtmgimp.DtmBranchRequest.encode(branchMessage(registration)).finish();
    const target = own ? this.server : targetOf(coordinator);
    const reply = replyFrom(await this.#ask("RegisterBranch", message, limits, target), nothing);
    return target === this.server ? reply : this.#askedWithoutToken(reply, target);
  }

  async prepareWorkflow(request: TransactionRequest, limits: CallLimits): Promise<Reply<WorkflowState>> {
    checkCarried("gid", request.gid);
    const name = workflowNameIn(request.customData);
    if (name !== null) checkCarried("name", name);
    const message = dtmgimp.DtmRequest.encode(requestMessage(request)).finish();
    return replyFrom(await this.#ask("PrepareWorkflow", message, limits), workflowFrom);
  }

  async changeTopic(change: TopicChange, limits: CallLimits): Promise<Reply<void>> {
    const [method, request] = topicMessage(change);
    const reply = replyFrom(await this.#ask(method, dtmgimp.DtmTopicRequest.encode(request).finish(), limits), nothing);
    // dtm says "no such an url " here, and HTTP/2 drops a text that ends with a space.
    const unheard = change.kind === "unsubscribe" && reply.kind === "error" && reply.message === "UNKNOWN: ";
    return unheard ? { kind: "refused", message: "no such an url" } : reply;
  }

  query(gid: string, limits: CallLimits): Promise<Reply<TransactionState | null>> {
    return this.#httpForQuery().query(gid, limits);
  }

  requireQuery(): void {
    this.#httpForQuery();
  }

  async callBranch(invocation: BranchInvocation, limits: CallLimits): Promise<BranchReply> {
    const { url, payload, phase2Url } = invocation;
    if (isHttp(url)) {
      const http = this.#anyHttp();
      // A service that answers HTTP registers over HTTP: our gRPC address is for want of another.
      const told = invocation.coordinator ?? (this.#httpServer === null ? this.server : http.server);
      return http.callBranch({ ...invocation, coordinator: told }, limits);
    }
    const coordinator = invocation.coordinator ?? this.server;
    const branch = branchTargetOf(url);
    if (branch === null)
      return { outcome: { kind: "unknown", message: `expected host:port/package.Service/Method, found ${url}` }, body: EMPTY };
    const metadata = {
      ...ofOurs(invocation.headers),
      [METADATA_PREFIX + BRANCH_KEYS.gid]: invocation.gid,
      [METADATA_PREFIX + BRANCH_KEYS.transType]: invocation.transType,
      [METADATA_PREFIX + BRANCH_KEYS.branchId]: invocation.branchId,
      [METADATA_PREFIX + BRANCH_KEYS.op]: invocation.op,
      [METADATA_PREFIX + BRANCH_KEYS.coordinator]: coordinator,
      ...(phase2Url === undefined ? {} : { [METADATA_PREFIX + BRANCH_KEYS.phase2Url]: phase2Url }),
    };
    const answer = await this.#branches.unary({ ...branch, request: bytesOf(payload ?? ""), metadata }, limits);
    if (answer.kind === "ok") return { outcome: { kind: "success" }, body: answer.bytes };
    const { code, details } = answer;
    return { outcome: invocation.strict === true ? strictly(code, details) : outcomeFromGrpc(code, details), body: EMPTY };
  }

  checkAddress(url: string, what: string): void {
    if (isBranchUrl(url) || isMethodAddress(url)) return;
    throw new DtmError(
      "STEP_INVALID",
      `${what}: expected the address of a service, host:port/package.Service/Method or a URL with its scheme, found ${JSON.stringify(withoutUserinfo(url))}`,
    );
  }

  checkCallable(url: string, what: string): void {
    const callable = isHttp(url) ? isHttpUrl(url) : branchTargetOf(url) !== null;
    if (callable) return this.checkAddress(url, what);
    throw new DtmError(
      "STEP_INVALID",
      `${what}: expected what this client can call itself, host:port/package.Service/Method or an HTTP URL, found ${JSON.stringify(withoutUserinfo(url))}`,
    );
  }

  encode(payload: unknown, addresses: readonly AddressLike[]): EncodedPayload {
    const encode = addresses.map(encoderOf).find((found) => found !== null);
    if (encode !== undefined && encode !== null) return encoded(encode, payload);
    if (payload === undefined) return EMPTY;
    if (payload instanceof Uint8Array) return payload;
    const [first] = addresses;
    const url = first === undefined || typeof first === "string" ? first : first.url;
    if (url !== undefined && isHttp(url)) return Buffer.from(toJsonText(payload), "utf8");
    const maker = url?.startsWith(TOPIC_PREFIX) === true ? "a topic made by grpcTopic()" : "an address made by grpcBranch()";
    throw new DtmError(
      "PAYLOAD_INVALID",
      `payload: expected a Uint8Array, or ${maker} that encodes it, found ${describe(payload)}`,
    );
  }

  close(): void {
    this.#closed = true;
    this.#coordinators.close();
    this.#branches.close();
    this.#http?.close();
    this.#tokenless?.close();
  }

  /** A branch of ours at an HTTP address names our coordinator as it answers HTTP. */
  #isOwnHttp(coordinator: string): boolean {
    return this.#http !== null && isHttp(coordinator) && baseOf(coordinator, "coordinator") === this.#http.server;
  }

  /** Only XA registrations carry no payload, so only they can change the transport on the way. */
  async #registerOverHttp(registration: BranchRegistration, limits: CallLimits, coordinator: string): Promise<Reply<void>> {
    if (registration.transType !== "xa") {
      throw new DtmError(
        "OPTION_INVALID",
        `coordinator: expected host:port, found ${coordinator}: nested branches of it need the HTTP client`,
      );
    }
    const reply = await this.#anyHttp().registerBranch(registration, limits, coordinator);
    return this.#httpServer === null ? this.#askedWithoutToken(reply, baseOf(coordinator, "coordinator")) : reply;
  }

  #askedWithoutToken(reply: Reply<void>, named: string): Reply<void> {
    const { token, headers } = this.#options;
    const withheld = token !== undefined || Object.keys(headers).length > 0;
    return withheld ? askedWithoutToken(reply, { named, own: this.server }) : reply;
  }

  #httpForQuery(): HttpTransport {
    if (this.#httpServer !== null) return this.#ownHttp(this.#httpServer);
    throw new DtmError(
      "OPTION_INVALID",
      `httpServer: expected the coordinator's HTTP address, since gRPC has no query, found none (and ${this.server} hasn't the usual port 36790)`,
    );
  }

  #ownHttp(server: string): HttpTransport {
    const { token, headers, tls, branchTls } = this.#options;
    this.#http ??= new HttpTransport({ server, token, headers, tls, branchTls });
    return this.#http;
  }

  /** For calls that go elsewhere. Where our own coordinator's HTTP address isn't known, nobody may be given the token. */
  #anyHttp(): HttpTransport {
    if (this.#httpServer !== null) return this.#ownHttp(this.#httpServer);
    if (this.#closed) throw clientClosed();
    const { tls, branchTls } = this.#options;
    this.#tokenless ??= new HttpTransport({ server: "http://localhost", headers: {}, tls, branchTls });
    return this.#tokenless;
  }

  /** A waiting caller gets a branch's own code (2.2), also one that denies the coordinator: who may not even ask for a gid is denied himself. */
  async #isDeniedAll(limits: CallLimits): Promise<boolean> {
    return isDenied(await this.#ask("NewGid", EMPTY, limits));
  }

  /** A branch call names a coordinator in its metadata, where anybody can write: token and headers go to our own only. */
  #ask(method: string, request: Uint8Array, limits: CallLimits, target = this.server): Promise<UnaryAnswer> {
    const { token, headers } = this.#options;
    const own = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
    const metadata = target === this.server ? own : {};
    return this.#coordinators.unary({ target, path: `/dtmgimp.Dtm/${method}`, request, metadata }, limits);
  }
}

function nothing(): void {}

/** HTTP/2's and gRPC's own fields are set by the call itself; the coordinator's calls leave them out, too. */
function ofOurs(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(?:host$|grpc-)/i.test(name)));
}

/** The code alone decides (protocol.md 6.6): ABORTED with the text ONGOING is a refusal, as dtm's workflows have it. */
function strictly(code: number, details: string): Outcome {
  switch (code) {
    case GRPC.aborted:
      return { kind: "failure", reason: details.replace(/ FAILURE$/, ""), grpcCode: code };
    case GRPC.failedPrecondition:
      return { kind: "ongoing", reason: details.replace(/ ONGOING$/, "") };
    default:
      return outcomeFromGrpc(code, details);
  }
}

function topicMessage(change: TopicChange): ["Subscribe" | "Unsubscribe" | "DeleteTopic", dtmgimp.DtmTopicRequest] {
  const { topic: Topic } = change;
  switch (change.kind) {
    case "subscribe":
      return ["Subscribe", { Topic, URL: change.url, Remark: change.remark }];
    case "unsubscribe":
      return ["Unsubscribe", { Topic, URL: change.url, Remark: "" }];
    case "delete":
      return ["DeleteTopic", { Topic, URL: "", Remark: "" }];
    default:
      return change satisfies never;
  }
}

function encoded(encode: (payload: unknown) => Uint8Array, payload: unknown): Uint8Array {
  let bytes: unknown;
  try {
    bytes = encode(payload);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new DtmError(
      "PAYLOAD_INVALID",
      `payload: expected the method's request message, found ${describe(payload)} (${message})`,
      { cause },
    );
  }
  if (bytes instanceof Uint8Array) return bytes;
  throw new DtmError("PAYLOAD_INVALID", `payload: expected bytes from its codec, found ${describe(bytes)}`);
}
