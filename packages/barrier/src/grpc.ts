/**
 * Branches served over gRPC by `@grpc/grpc-js`:
 *
 * ```ts
 * const handle = async ({ amount }: Debit) => {
 *   await db.transaction((tx) => barrier.run(tx, () => take(tx, amount)));
 * };
 * server.addService(BusiService, { debit: branchHandler(debit, handle, { method: BusiService.debit }) });
 * ```
 */
import { type BranchAddress, METADATA_PREFIX } from "@dtm/protocol";
import { ERROR_TEXT, harmless, type ReadValue, type Served, type ServeOptions, serve, warn } from "./serve.js";
import { type ParseOptions, toPayload } from "./serve-body.js";

/** Metadata of grpc-js. */
export interface MetadataLike {
  get(key: string): readonly (string | Buffer)[];
}

/** A unary call of grpc-js. */
export interface UnaryCallLike<Request> {
  readonly request: Request;
  readonly metadata: MetadataLike;
}

/** What the caller gets instead of a reply. */
export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
}

/** The codes that a branch answers with. */
export const GRPC_CODES = { invalidArgument: 3, failedPrecondition: 9, aborted: 10, internal: 13 } as const;

/** The error of grpc-js's callback, with what it reads of it. */
export type StatusError = Error & GrpcStatus;

/** What a generated service definition has for a method: `BusiService.debit`. */
export interface MethodLike<Reply> {
  responseSerialize(reply: Reply): Uint8Array;
  responseDeserialize(bytes: Buffer): Reply;
}

/** Settings of {@link branchHandler}; each has a default. */
export interface GrpcServeOptions<Reply> extends ServeOptions {
  /**
   * The method that is served, out of the generated service definition. With it nothing becomes an empty message of the method's own type, and so
   * does a reply that can't be serialised, see `onWarning`.
   *
   * Default: none. Nothing becomes `{}` then, which is right for `@grpc/proto-loader`, and for messages without fields of ts-proto; with others
   * of ts-proto a text of it would be "undefined". grpc-tools' code refuses it: after the work, at every repeat, and `onError` isn't told, since
   * grpc-js serialises a reply after it was handed over. Without a method, return the reply there.
   */
  readonly method?: MethodLike<Reply>;
}

/** What serves a branch: returns the reply, or nothing for the empty message. */
export type GrpcHandler<Payload, Call, Reply> = (
  payload: Payload,
  call: Call,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler may end without a return.
) => Promise<Reply | undefined | void> | Reply | undefined | void;

/** A unary handler as grpc-js takes it. */
export type UnaryHandler<Call, Reply> = (call: Call, callback: (error: StatusError | null, reply?: Reply) => void) => void;

/**
 * Serves a branch as a unary handler: reads which branch it is from the metadata, runs `handler` as that branch, so that barriers in it need no
 * argument, and answers for it.
 *
 * `handler` returns the reply for success; nothing becomes the empty message, for which generated code needs the option `method`. It throws
 * `Failure` to have the global transaction rolled back (ABORTED), `Ongoing` to be asked again (FAILED_PRECONDITION); anything else it throws is
 * answered with INTERNAL and a general text, told to `onError`, and asked again. A request that isn't a branch call gets INVALID_ARGUMENT and
 * doesn't reach `handler`.
 *
 * @param _address - Gives `handler` the type of its payload, which is the request message; null leaves it to `parse`, or to the service.
 */
export function branchHandler<
  Payload,
  Reply extends object = object,
  Call extends UnaryCallLike<Payload> = UnaryCallLike<Payload>,
>(
  _address: BranchAddress<Payload> | null,
  handler: GrpcHandler<Payload, Call, Reply>,
  options?: GrpcServeOptions<Reply> & { readonly parse?: never },
): UnaryHandler<Call, Reply>;
/** With a parser the request message may be of any type. */
export function branchHandler<
  Payload,
  Reply extends object = object,
  Call extends UnaryCallLike<unknown> = UnaryCallLike<unknown>,
>(
  _address: BranchAddress<Payload> | null,
  handler: GrpcHandler<Payload, Call, Reply>,
  options: GrpcServeOptions<Reply> & { readonly parse: (message: unknown) => Payload },
): UnaryHandler<Call, Reply>;
export function branchHandler<Payload, Reply extends object, Call extends UnaryCallLike<unknown>>(
  _address: BranchAddress<Payload> | null,
  handler: GrpcHandler<Payload, Call, Reply>,
  options: GrpcServeOptions<Reply> & ParseOptions<Payload> = {},
): UnaryHandler<Call, Reply> {
  // No bytes at all are the empty message of every type. Made here, so that a definition that can't says so at the start.
  const empty = options.method?.responseDeserialize(Buffer.alloc(0)) ?? ({} as Reply);
  return (call, callback) => {
    const answer = serve(
      readMetadata(call.metadata),
      (branch) => handler(toPayload(call.request, branch, options), call),
      options,
    );
    // `serve` never throws, and what grpc-js throws while it sends isn't an answer.
    void answer.then((served) => {
      const status = grpcStatus(served);
      if (status !== null) callback(Object.assign(new Error(status.details), status));
      else callback(null, replyOf(served, empty, options));
    });
  };
}

/** The message of a success; grpc-js can't encode nothing. The work is done, so its reply mustn't become an error that is asked again for ever. */
function replyOf<Reply extends object>(served: Served, empty: Reply, options: GrpcServeOptions<Reply>): Reply {
  if (served.kind !== "success" || typeof served.result !== "object" || served.result === null) return empty;
  const reply = served.result as Reply;
  try {
    // grpc-js does it once more, but tells nobody when it fails.
    options.method?.responseSerialize(reply);
    return reply;
  } catch (cause) {
    const { branchId, op, gid } = served.call;
    const reason = cause instanceof Error ? cause.message : String(cause);
    warn(`the reply of branch ${branchId} (${op}) of ${gid} was replaced by the empty message: ${reason}`, served.call, options);
    return empty;
  }
}

/** The branch's values in gRPC metadata, where their names begin with `dtm-`. */
export function readMetadata(metadata: MetadataLike): ReadValue {
  return (key) => metadata.get(`${METADATA_PREFIX}${key}`)[0]?.toString();
}

/** How a call is answered that wasn't a success; null for one that was. */
export function grpcStatus(served: Served): GrpcStatus | null {
  switch (served.kind) {
    case "success":
      return null;
    case "failure":
      // The exact message ONGOING would be read as "ask again".
      return { code: GRPC_CODES.aborted, details: harmless(served.message) };
    case "ongoing":
      return { code: GRPC_CODES.failedPrecondition, details: harmless(served.message) };
    case "invalid":
      return { code: GRPC_CODES.invalidArgument, details: harmless(served.message) };
    case "error":
      return { code: GRPC_CODES.internal, details: ERROR_TEXT };
    default:
      return assertNever(served);
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
