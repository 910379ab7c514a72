/** A service whose messages are JSON, and a call as a coordinator makes it. */
import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
} from "@grpc/grpc-js";

export interface Message {
  readonly text?: string;
  readonly amount?: number;
}

const toBytes = (message: Message): Buffer => Buffer.from(JSON.stringify(message));
const fromBytes = (bytes: Buffer): Message => JSON.parse(bytes.toString());

export const BUSI = {
  debit: {
    path: "/busi.Busi/debit",
    originalName: "debit",
    requestStream: false,
    responseStream: false,
    requestSerialize: toBytes,
    requestDeserialize: fromBytes,
    responseSerialize: toBytes,
    responseDeserialize: fromBytes,
  },
} as const;

type Method = MethodDefinition<Message, Message>;

/** On a port of its own. */
export function startServer(
  debit: handleUnaryCall<Message, Message>,
  method: Method = BUSI.debit,
): Promise<{ readonly address: string; close(): void }> {
  const server = new Server();
  server.addService({ debit: method }, { debit });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(error);
      else resolve({ address: `127.0.0.1:${port}`, close: () => server.forceShutdown() });
    });
  });
}

export const BRANCH_METADATA = { gid: "g-1", trans_type: "saga", branch_id: "01", op: "action", dtm: "" };

export interface GrpcReply {
  readonly code: number;
  readonly details: string;
  readonly message: Message | null;
}

export function grpcCall(
  address: string,
  message: Message,
  branch: Readonly<Record<string, string>> = BRANCH_METADATA,
  { path, requestSerialize, responseDeserialize }: Method = BUSI.debit,
): Promise<GrpcReply> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(branch)) metadata.set(`dtm-${key}`, value);
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, reply?: Message) => {
      client.close();
      resolve(error === null ? { code: 0, details: "", message: reply ?? null } : { ...error, message: null });
    };
    const deadline = Date.now() + 60_000;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, { deadline }, done);
  });
}
