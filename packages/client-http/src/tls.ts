/** TLS as an application sets it, checked where the client is made: Node would skip over what it can't read, or say so at the first call. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { describe, requireKnown } from "@dtm/client-core/internal";
import { DtmError } from "@dtm/protocol";

/** TLS towards a server. Without it, `https:` uses the authorities that Node trusts. */
export interface TlsOptions {
  /** PEM of the authorities that may sign the server's certificate. Default: those that Node trusts. */
  readonly ca?: string | Buffer | undefined;
  /** PEM of the certificate that this client shows. Default: none. Needs `key`. */
  readonly cert?: string | Buffer | undefined;
  /** PEM of that certificate's key. Needs `cert`. */
  readonly key?: string | Buffer | undefined;
  /** False accepts any certificate, anybody's included: for tests only. Default: true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

const TLS = { ca: true, cert: true, key: true, rejectUnauthorized: true } satisfies Record<keyof TlsOptions, true>;

/**
 * Texts are never quoted: a key may be among them.
 *
 * @throws DtmError OPTION_INVALID, naming the option.
 */
export function checkTls(option: "tls" | "branchTls", tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls === "string") throw invalid(option, "expected an object, found a text");
  requireKnown(tls, TLS, { what: option });
  const { ca, cert, key } = tls;
  for (const part of ["ca", "cert", "key"] as const) checkPem(`${option}.${part}`, tls[part]);
  checkFlag(`${option}.rejectUnauthorized`, tls.rejectUnauthorized);
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw invalid(option, `expected cert and key together, found ${given} without ${missing}`);
  }
  if (ca !== undefined) read(`${option}.ca`, "the certificate of an authority", () => new X509Certificate(ca));
  if (cert !== undefined && key !== undefined) {
    const shown = read(`${option}.cert`, "a certificate", () => new X509Certificate(cert));
    const own = read(`${option}.key`, "a private key", () => createPrivateKey(key));
    // OpenSSL minds only when they are of one kind, and else would show no certificate.
    if (!shown.checkPrivateKey(own)) throw invalid(option, "expected the key of the cert, found another's");
  }
  read(option, "a cert and its key", () => createSecureContext({ ca, cert, key }));
  return tls;
}

function checkPem(option: string, value: unknown): void {
  if (value === undefined) return;
  const isText = typeof value === "string";
  if (!isText && !(value instanceof Uint8Array))
    throw invalid(option, `expected PEM, a text or a Buffer, found ${describe(value)}`);
  // Node takes what has no such line for no authority at all.
  if (!Buffer.from(value).includes("-----BEGIN ")) throw invalid(option, "expected PEM, found no -----BEGIN line in it");
}

function checkFlag(option: string, value: unknown): void {
  if (typeof value === "string") throw invalid(option, "expected true or false, found a text");
  if (value !== undefined && typeof value !== "boolean")
    throw invalid(option, `expected true or false, found ${describe(value)}`);
}

/** OpenSSL's words tell what it missed, and quote nothing. */
function read<T>(option: string, what: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DtmError("OPTION_INVALID", `${option}: expected ${what} in PEM, found what can't be used: ${why}`, { cause });
  }
}

function invalid(option: string, message: string): DtmError {
  return new DtmError("OPTION_INVALID", `${option}: ${message}`);
}
