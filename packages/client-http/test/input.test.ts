/** What HTTP can't do, or can't keep secret, is refused where it is said. */
import { generateKeyPairSync } from "node:crypto";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";
import { HttpClient, type HttpClientOptions, noCompensation } from "../src/index.js";
import { HttpTransport } from "../src/internal.js";

const clients: HttpClient[] = [];
afterAll(() => {
  for (const each of clients) each.close();
});
function open(options: object = {}): HttpClient {
  const opened = new HttpClient({ server: "http://127.0.0.1:1", ...options } as HttpClientOptions);
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

const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const ca = rootCertificates[0] ?? "";
const unreadable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

test.each<[string, unknown, string]>([
  ["null", null, "tls: expected an object, found null"],
  ["a text", key, "tls: expected an object, found a text"],
  ["a number", 5, "tls: expected an object, found 5"],
  ["a misspelt option", { rejectUnauthorised: false }, "tls: rejectUnauthorised: no such option; known are ca, cert, key"],
  ["a number as authority", { ca: 5 }, "tls.ca: expected PEM, a text or a Buffer, found 5"],
  ["no PEM as authority", { ca: "nonsense" }, "tls.ca: expected PEM, found no -----BEGIN line in it"],
  ["an empty authority", { ca: "" }, "tls.ca: expected PEM, found no -----BEGIN line in it"],
  ["an authority that can't be read", { ca: unreadable }, "tls.ca: expected the certificate of an authority in PEM, found"],
  ["a key as authority", { ca: key }, "tls.ca: expected the certificate of an authority in PEM, found"],
  ["a cert without key", { cert: ca }, "tls: expected cert and key together, found cert without key"],
  ["a key without cert", { key }, "tls: expected cert and key together, found key without cert"],
  ["an array as key", { cert: ca, key: [key] }, "tls.key: expected PEM, a text or a Buffer, found an array"],
  ["the key of another cert", { cert: ca, key }, "tls: expected the key of the cert, found another's"],
  [
    "a key that can't be read",
    { cert: ca, key: unreadable },
    "tls.key: expected a private key in PEM, found what can't be used: ",
  ],
  ["a text as flag", { rejectUnauthorized: key }, "tls.rejectUnauthorized: expected true or false, found a text"],
  ["a number as flag", { rejectUnauthorized: 0 }, "tls.rejectUnauthorized: expected true or false, found 0"],
])("TLS towards coordinator and branches that can't be used: %s", (_, tls, message) => {
  for (const option of ["tls", "branchTls"]) {
    const error = refusalOf(() => open({ [option]: tls }));
    expect(error).toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message.replace("tls", option)) as unknown,
    });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(key.slice(40, 60));
  }
});

test.each(["Content-Length", "connection", "expect", "accept-encoding"])("%s is no header of a client's own", (name) => {
  const message = `headers: expected none that belong to the connection or the message's framing, found "${name}"`;
  expect(refusalOf(() => open({ headers: { "x-own": "y", [name]: "5" } }))).toMatchObject({ code: "OPTION_INVALID", message });
});

test("TLS that can be used", () => {
  const bundle = `# the company's\n${rootCertificates.slice(0, 3).join("\n")}`;
  for (const tls of [{}, { ca }, { ca: Buffer.from(ca) }, { ca: bundle }, { rejectUnauthorized: false }, { ca: undefined }])
    expect(() => open({ tls, branchTls: tls })).not.toThrow();
});

test.each([
  "http://user:s3cret@127.0.0.1:1",
  "http://user:s3cret@127.0.0.1:1/api/dtmsvr?x=1",
  "http://:s3cret@127.0.0.1:1",
  "http://user:s3cret@127.0.0.1:99999",
  "user:s3cret@127.0.0.1:1",
])("a server with a password in it is refused, and the password not shown: %s", (server) => {
  const error = refusalOf(() => open({ server }));
  expect(error).toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(/^server: expected /) as unknown });
  expect(inspect(error, { depth: 10, showHidden: true }).replace(/\n {4}at .*/g, "")).not.toContain("s3cret");
});

test.each(["http://[bad/a", "http://bank:99999/a b", "http:///a", "https://", "topic://debits", "bank/debit"])(
  "nobody can call %s, so no step goes there",
  async (url) => {
    const client = open();
    const refused = { code: "STEP_INVALID", message: expect.stringContaining(`, found ${JSON.stringify(url)}`) as unknown };
    expect(refusalOf(() => client.saga().step({ action: url, compensate: noCompensation() }))).toMatchObject(refused);
    expect(refusalOf(() => client.saga().step({ action: "http://a", compensate: url }))).toMatchObject(refused);
    const parent = { gid: "g", transType: "tcc", branchId: "01" };
    const confirmed = client.tccFrom(parent).branch({ try: "http://a", confirm: url, cancel: "http://a" });
    await expect(confirmed).rejects.toMatchObject(refused);
    if (!url.startsWith("topic:")) expect(refusalOf(() => client.msg().step({ action: url }))).toMatchObject(refused);
  },
);

test.each(["http://bank/a b", "HTTP://bank", "http://[::1]:8080/a", "https://bank:65535?x=1", "nacos://bank/debit"])(
  "the coordinator may be able to call %s",
  (url) => {
    expect(() => open().saga().step({ action: url, compensate: url })).not.toThrow();
  },
);

test("no password in the error about an address", () => {
  const error = refusalOf(() => open().saga().step({ action: "http://user:s3cret@bank:99999/a", compensate: noCompensation() }));
  expect(error).toMatchObject({
    code: "STEP_INVALID",
    message: expect.stringContaining('found "http://bank:99999/a"') as unknown,
  });
});

test("the coordinator that a branch call named keeps its own rules", async () => {
  const registration = { gid: "g", branchId: "01", url: "http://a", coordinator: "http://user:s3cret@127.0.0.1:1" };
  await expect(open({ timeoutMs: 2_000 }).registerXaBranch(registration)).rejects.toMatchObject({
    code: "COORDINATOR_UNREACHABLE",
  });
});

test("what a branch answered stands apart from its code", async () => {
  const exchange = async () => ({ kind: "answer" as const, status: 500, body: Buffer.from("boom"), retryAfter: undefined });
  const transport = new HttpTransport({ server: "http://a", headers: {}, exchange });
  const call = { url: "http://b", gid: "g", transType: "workflow" as const, branchId: "01", op: "action", headers: {} };
  const { outcome } = await transport.callBranch({ ...call, strict: true }, { timeoutMs: 1_000 });
  expect(outcome).toMatchObject({ kind: "unknown", message: "participant answered 500: boom" });
});
