/** What gRPC can't do, or can't keep secret, is refused where it is said. TLS is checked as over HTTP, in packages/client-http/test/input.test.ts. */
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";
import { GrpcClient, type GrpcClientOptions, grpcTopic, noCompensation } from "../src/index.js";

const clients: GrpcClient[] = [];
afterAll(() => {
  for (const each of clients) each.close();
});
function open(options: object = {}): GrpcClient {
  const opened = new GrpcClient({ server: "127.0.0.1:1", ...options } as GrpcClientOptions);
  clients.push(opened);
  return opened;
}
function refusalOf(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  throw new Error("expected a refusal, found none");
}

test.each<[unknown, string]>([
  [null, "tls: expected an object, found null"],
  [true, "tls: expected an object, found true"],
  [{ ca: 5 }, "tls.ca: expected PEM, a text or a Buffer, found 5"],
  [{ ca: "nonsense" }, "tls.ca: expected PEM, found no -----BEGIN line in it"],
  [{ cert: rootCertificates[0] }, "tls: expected cert and key together, found cert without key"],
  [{ rejectUnauthorised: false }, "tls: rejectUnauthorised: no such option"],
])("TLS that can't be used: %p", (tls, message) => {
  for (const option of ["tls", "branchTls"]) {
    expect(refusalOf(() => open({ [option]: tls }))).toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message.replace("tls", option)) as unknown,
    });
  }
});

test("a header of the connection is none of a client's own", () => {
  const message = expect.stringContaining('found "te"') as unknown;
  expect(refusalOf(() => open({ headers: { te: "x" } }))).toMatchObject({ code: "OPTION_INVALID", message });
});

test.each<[object, RegExp]>([
  [{ httpServer: "" }, /^httpServer: expected the coordinator's URL, .*, found ""$/],
  [{ httpServer: null }, /^httpServer: expected the coordinator's URL, .*, found null$/],
  [{ httpServer: "127.0.0.1:36789" }, /^httpServer: expected the coordinator's URL/],
  [{ httpServer: "http://user:s3cret@127.0.0.1:1" }, /^httpServer: expected .* found a user or password before 127\.0\.0\.1:1$/],
  [{ server: "user:s3cret@127.0.0.1:1" }, /^server: expected host:port without a user and password/],
  [{ server: "http://user:s3cret@127.0.0.1:1" }, /^server: expected host:port without a user and password/],
  [{ server: "127.0.0.1:99999" }, /^server: expected host:port .*, found "127\.0\.0\.1:99999"$/],
  [{ server: "127.0.0.1:0" }, /^server: expected host:port/],
])("an address of the coordinator that can't be used: %p", (options, message) => {
  const error = refusalOf(() => open(options));
  expect(error).toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(message) as unknown });
  expect(inspect(error, { depth: 10, showHidden: true }).replace(/\n {4}at .*/g, "")).not.toContain("s3cret");
});

test.each(["http://[bad/a", "http://bank:99999/a", "http://", "http:/bank/a", "bank:99999/b.B/c", "bank:/b.B/c", "topic://t"])(
  "nobody can call %s, so no step goes there",
  async (url) => {
    const client = open();
    const refused = { code: "STEP_INVALID", message: expect.stringContaining(`, found ${JSON.stringify(url)}`) as unknown };
    expect(refusalOf(() => client.saga().step({ action: url, compensate: noCompensation() }))).toMatchObject(refused);
    expect(refusalOf(() => client.saga().step({ action: "a:1/b.B/c", compensate: url }))).toMatchObject(refused);
    const parent = { gid: "g", transType: "xa", branchId: "01" };
    await expect(client.xaFrom(parent).branch({ url })).rejects.toMatchObject(refused);
  },
);

test.each([
  "bank:50051/b.B/c",
  "bank/b.B/c",
  "[::1]:50051/b.B/c",
  "http://bank/a b",
  "nacos://bank/b.B/c",
  "dns:///bank:1/b.B/c",
])("the coordinator may be able to call %s", (url) => {
  expect(() => open().saga().step({ action: url, compensate: url })).not.toThrow();
});

test("a topic's message by the codec of its topic", () => {
  const client = open();
  const message = "payload: expected a Uint8Array, or a topic made by grpcTopic() that encodes it, found an object";
  expect(refusalOf(() => client.msg().topic("t", { a: 1 }))).toMatchObject({ code: "PAYLOAD_INVALID", message });
  const bytes = { requestSerialize: ({ a }: { readonly a: number }) => Buffer.from([a]) };
  expect(() => client.msg().topic(grpcTopic("t", bytes), { a: 1 }).topic("t", Buffer.from("x"))).not.toThrow();
  expect(refusalOf(() => client.msg().step({ action: "a:1/b.B/c", payload: { a: 1 } }))).toMatchObject({
    message: expect.stringContaining("an address made by grpcBranch()") as unknown,
  });
});
