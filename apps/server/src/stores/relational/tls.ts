/** TLS to a database, as the settings say it. */
import { PemUnusable, readCertificate, readKey } from "../../pem.js";
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
  try {
    return {
      ...(caFile === "" ? {} : { ca: readCertificate("Store.TlsCaFile (STORE_TLS_CA_FILE)", caFile) }),
      ...(certFile === "" ? {} : { cert: readCertificate("Store.TlsCertFile (STORE_TLS_CERT_FILE)", certFile) }),
      ...(keyFile === "" ? {} : { key: readKey("Store.TlsKeyFile (STORE_TLS_KEY_FILE)", keyFile) }),
    };
  } catch (cause) {
    throw cause instanceof PemUnusable ? new DatabaseUnusable(cause.message, { cause }) : cause;
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
