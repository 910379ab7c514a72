/** TLS to a database, as the settings say it. */
import { readFileSync } from "node:fs";
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
    ...(caFile === "" ? {} : { ca: pem("Store.TlsCaFile (STORE_TLS_CA_FILE)", caFile) }),
    ...(certFile === "" ? {} : { cert: pem("Store.TlsCertFile (STORE_TLS_CERT_FILE)", certFile) }),
    ...(keyFile === "" ? {} : { key: pem("Store.TlsKeyFile (STORE_TLS_KEY_FILE)", keyFile) }),
  };
}

function pem(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new DatabaseUnusable(`${setting} names ${path}, which can't be read: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
}
