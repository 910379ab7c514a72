/** Branches whose payload is a protobuf message. */
import type { EncodingAddress } from "@dtm/client-core";
import { DtmError, TOPIC_PREFIX } from "@dtm/protocol";

/** A method as ts-proto generates it (`outputServices=grpc-js`), or as grpc-js loads it from a .proto file. */
export interface GrpcMethod<Request, Reply> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestSerialize: (request: Request) => Uint8Array;
  readonly responseDeserialize: (bytes: Buffer) => Reply;
}

/** A branch over gRPC: its address with the codec of its messages. */
export interface GrpcBranch<Request, Reply> extends EncodingAddress<Request> {
  /** The branch's answer as a message: `bank.decode(await tcc.branch(…))`. */
  decode(answer: { readonly bytes: Uint8Array }): Reply;
}

/**
 * Declares a branch over gRPC, for the transaction that calls it: its payload is the method's request.
 *
 * ```ts
 * const debit = grpcBranch("bank:50051", BankService.debit);
 * ```
 *
 * @param target - `host:port` of the service, without scheme.
 * @throws DtmError STEP_INVALID.
 */
export function grpcBranch<Request, Reply>(target: string, method: GrpcMethod<Request, Reply>): GrpcBranch<Request, Reply> {
  if (typeof target !== "string" || !/^[^/\s]+$/.test(target)) {
    throw new DtmError("STEP_INVALID", `target: expected host:port, found ${JSON.stringify(target)}`);
  }
  return {
    url: `${target}${method.path}`,
    encode: (payload) => method.requestSerialize(payload),
    decode: ({ bytes }) => method.responseDeserialize(Buffer.from(bytes)),
  };
}

/** A topic whose subscribers take one message type, given by one of their methods. */
export function grpcTopic<Request>(
  name: string,
  method: Pick<GrpcMethod<Request, unknown>, "requestSerialize">,
): EncodingAddress<Request> {
  return { url: TOPIC_PREFIX + name, encode: (payload) => method.requestSerialize(payload) };
}
