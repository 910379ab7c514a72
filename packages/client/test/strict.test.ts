/** A workflow's step over gRPC: the code of the answer counts, whatever its text (protocol.md 6.6). */
import { GrpcTransport } from "@dtm/client-grpc/internal";
import { type Participants, startGrpcParticipants } from "../../client-grpc/test/kit/participants.js";

let services: Participants;
let transport: GrpcTransport;
beforeAll(async () => {
  services = await startGrpcParticipants();
  transport = new GrpcTransport({ server: "127.0.0.1:1", headers: {} });
});
afterAll(async () => {
  transport.close();
  await services.stop();
});

test.each([
  ["failure", "ONGOING", { kind: "failure", reason: "ONGOING" }],
  ["failure", "no stock FAILURE", { kind: "failure", reason: "no stock" }],
  ["ongoing", "FAILURE", { kind: "ongoing", reason: "FAILURE" }],
  ["error", "FAILURE", { kind: "unknown" }],
] as const)("%s %j", async (kind, text, outcome) => {
  services.answer("step", () => ({ kind, text }));
  const branch = { gid: "g", transType: "workflow", branchId: "01", op: "action", headers: {} } as const;
  const reply = await transport.callBranch({ ...branch, url: services.url("step"), strict: true }, { timeoutMs: 30_000 });
  expect(reply.outcome).toMatchObject(outcome);
});
