import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../../test/e2e/kit/temp-folder.js";
import { Authority, HAS_OPENSSL } from "../../../test/kit/certificates.js";
import { notRun } from "../../../test/kit/with-server.js";
import { readTlsFiles, type Tls } from "./tls.js";

const NONE: Tls = { mode: "verify-full", caFile: "", certFile: "", keyFile: "" };
const folder = temporaryFolder();

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const empty = file("empty.pem", "");
const hello = file("hello.pem", "hello\n");
const broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n");
const locked = file("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n");

const CA = "Store.TlsCaFile (STORE_TLS_CA_FILE) names";
const CERT = "Store.TlsCertFile (STORE_TLS_CERT_FILE) names";
const KEY = "Store.TlsKeyFile (STORE_TLS_KEY_FILE) names";
const NO_PEM = "it has no line of PEM, -----BEGIN";

test.each<readonly [Partial<Tls>, string]>([
  [{ caFile: "/nowhere/ca.pem" }, `${CA} /nowhere/ca.pem, which can't be read: ENOENT`],
  [{ caFile: empty }, `${CA} ${empty}, which holds no certificate that can be read: ${NO_PEM}`],
  [{ caFile: hello }, `${CA} ${hello}, which holds no certificate that can be read: ${NO_PEM}`],
  [{ caFile: broken }, `${CA} ${broken}, which holds no certificate that can be read: error:`],
  [{ certFile: empty }, `${CERT} ${empty}, which holds no certificate that can be read: ${NO_PEM}`],
  [{ keyFile: empty }, `${KEY} ${empty}, which holds no key that can be read: ${NO_PEM}`],
  [{ keyFile: broken }, `${KEY} ${broken}, which holds no key that can be read: error:`],
  [{ keyFile: locked }, `${KEY} ${locked}, a key with a passphrase: name one without`],
])("%p", (files, refusal) => {
  expect(() => readTlsFiles({ ...NONE, ...files })).toThrow(refusal);
});

test("files that are what they should be, and a key of the old form with a passphrase", () => {
  if (!HAS_OPENSSL) return notRun("openssl is missing");
  const authority = new Authority(folder, "authority");
  const { cert: certFile, key: keyFile } = authority.certify("client", "DNS:client");
  const all = readTlsFiles({ ...NONE, caFile: authority.ca, certFile, keyFile });
  expect(Object.keys(all)).toEqual(["ca", "cert", "key"]);
  const old = join(folder, "old.pem");
  const as = ["-aes256", "-traditional", "-passout", "pass:secret"];
  execFileSync("openssl", ["rsa", ...as, "-in", keyFile, "-out", old], { stdio: "pipe" });
  expect(() => readTlsFiles({ ...NONE, keyFile: old })).toThrow(`${KEY} ${old}, a key with a passphrase: name one without`);
});
