/** What goes with a call, and what stays out of it. */
import { dtmgimp } from "@dtm/protocol";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { GrpcClient, type GrpcClientOptions } from "../src/index.js";
import { type Participants, startGrpcParticipants } from "./kit/participants.js";

let coordinator: Server;
let port = 0;
let services: Participants;
const clients: GrpcClient[] = [];

/** A coordinator that wants a token for registrations only. */
beforeAll(async () => {
  services = await startGrpcParticipants();
  coordinator = new Server();
  const implementation: UntypedServiceImplementation = {};
  for (const method of Object.keys(dtmgimp.DtmService)) {
    implementation[method] = ({ metadata }: ServerUnaryCall<unknown, object>, done: sendUnaryData<object>) => {
      const denied = method === "registerBranch" && metadata.get("authorization").length === 0;
      if (denied) done({ code: status.UNAUTHENTICATED, details: "a token is missing" });
      else done(null, {});
    };
  }
  coordinator.addService(dtmgimp.DtmService, implementation);
  port = await new Promise((resolve, reject) => {
    coordinator.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await services.stop();
  coordinator.forceShutdown();
});

function open(options: Partial<GrpcClientOptions> = {}): GrpcClient {
  const client = new GrpcClient({ server: `127.0.0.1:${port}`, timeoutMs: 20_000, ...options });
  clients.push(client);
  return client;
}

test("a branch call leaves out the headers that the coordinator leaves out", async () => {
  const url = services.url("Try");
  const branchHeaders = { connection: "close", "Content-Length": "500", host: "x", "grpc-timeout": "1n", "x-own": "y" };
  const headers = { "Transfer-Encoding": "chunked" };
  await open({ token: "t" }).tcc({ branchHeaders }, (tcc) =>
    tcc.branch({ try: url, confirm: url, cancel: url, payload: Buffer.from("30"), headers }),
  );
  expect(services.calls).toMatchObject([{ op: "try", body: "30", headers: { "x-own": "y" } }]);
  const sent = Object.keys(services.calls[0]?.headers ?? {});
  expect(sent.filter((name) => /^(?:connection|content-length|transfer-encoding|host|grpc-timeout)$/.test(name))).toEqual([]);
});

test("a registration that was refused for want of the token says which two coordinators weren't the same", async () => {
  const named = `localhost:${port}`;
  const registration = { gid: "g1", branchId: "01", url: services.url("Xa"), coordinator: named };
  const refused = /refused: UNAUTHENTICATED: a token is missing$/;
  await expect(open({ token: "t" }).registerXaBranch(registration)).rejects.toThrow(
    `a token is missing (the branch call named the coordinator ${named}, and this client's is 127.0.0.1:${port}: its token`,
  );
  await expect(open().registerXaBranch(registration)).rejects.toThrow(refused);
  await expect(open().registerXaBranch({ ...registration, coordinator: undefined })).rejects.toThrow(refused);
  await open({ token: "t" }).registerXaBranch({ ...registration, coordinator: `127.0.0.1:${port}` });
});
