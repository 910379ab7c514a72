/** TLS to a database, as the settings say it. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { messageOf } from "./database.js";
import { DatabaseUnusable } from "./errors.js";

/** `require` encrypts and believes anybody; `verify-ca` checks who signed, `verify-full` also the name. */
export interface Tls {
  readonly mode: "disable" | "require" | "verify-ca" | "verify-full";
  /** PEM files; "" for none. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export function readTlsFiles({ caFile, certFile, keyFile }: Tls): TlsFiles {
  return {
    ...(caFile === "" ? {} : { ca: certificate(`Store.TlsCaFile (STORE_TLS_CA_FILE) names ${caFile}`, caFile) }),
    ...(certFile === "" ? {} : { cert: certificate(`Store.TlsCertFile (STORE_TLS_CERT_FILE) names ${certFile}`, certFile) }),
    ...(keyFile === "" ? {} : { key: key(`Store.TlsKeyFile (STORE_TLS_KEY_FILE) names ${keyFile}`, keyFile) }),
  };
}

/** Node takes an empty text for none given, and would believe whom every public authority signed. */
function certificate(named: string, path: string): string {
  const text = read(named, path);
  parsed(`${named}, which holds no certificate that can be read`, text, () => new X509Certificate(text));
  return text;
}

function key(named: string, path: string): string {
  const text = read(named, path);
  if (/^-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(text))
    throw new DatabaseUnusable(`${named}, a key with a passphrase: name one without`);
  parsed(`${named}, which holds no key that can be read`, text, () => createPrivateKey(text));
  return text;
}

function read(named: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new DatabaseUnusable(`${named}, which can't be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function parsed(trouble: string, text: string, parse: () => unknown): void {
  if (!/^-----BEGIN /m.test(text)) throw new DatabaseUnusable(`${trouble}: it has no line of PEM, -----BEGIN`);
  try {
    parse();
  } catch (cause) {
    throw new DatabaseUnusable(`${trouble}: ${messageOf(cause)}`, { cause });
  }
}

/** What to say of a TLS handshake with `where` that failed, by the words of OpenSSL and Node; null for anything else. */
export function tlsTrouble(where: string, why: string): string | null {
  const files = "Store.TlsCertFile (STORE_TLS_CERT_FILE) and Store.TlsKeyFile (STORE_TLS_KEY_FILE)";
  const [, alert] = /:SSL routines:[^:]*:([^:]* alert [^:]*(?:certificate|ca)\b[^:]*)/.exec(why) ?? [];
  if (alert !== undefined)
    return `${where} refused the certificate that it was shown, or was shown none: ${alert}; check ${files}`;
  if (/altnames/.test(why))
    return `the certificate of ${where} is for another name: ${why}; set Store.Host (STORE_HOST) to a name that it has, or Store.TlsMode (STORE_TLS_MODE) to verify-ca`;
  if (/key values mismatch/.test(why))
    return `the certificate shown to ${where} and its key don't belong together: ${why}; check ${files}`;
  if (/certificate (has expired|is not yet valid)/.test(why))
    return `the certificate of ${where} is not valid now: ${why}; renew it, or look at this machine's clock`;
  if (/\bcertificate\b/.test(why))
    return `the certificate of ${where} is not trusted: ${why}; check Store.TlsCaFile (STORE_TLS_CA_FILE)`;
  return null;
}
