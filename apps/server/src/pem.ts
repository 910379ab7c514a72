/** Certificates and keys that settings name, looked at before they are used: TLS itself says neither which file was meant nor what is wrong with it. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { types } from "node:util";

/** Names the setting and the file. */
export class PemUnusable extends Error {
  override readonly name = "PemUnusable";
}

/** Never empty: Node takes an empty text for none given, and would believe whom every public authority signed. */
export function readCertificate(setting: string, path: string): string {
  const named = `${setting} names ${path}`;
  const text = read(named, path);
  parsed(`${named}, which holds no certificate that can be read`, text, () => new X509Certificate(text));
  return text;
}

export function readKey(setting: string, path: string): string {
  const named = `${setting} names ${path}`;
  const text = read(named, path);
  if (/^-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(text))
    throw new PemUnusable(`${named}, a key with a passphrase: name one without`);
  parsed(`${named}, which holds no key that can be read`, text, () => createPrivateKey(text));
  return text;
}

export function isPair(cert: string, key: string): boolean {
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
}

function read(named: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new PemUnusable(`${named}, which can't be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function parsed(trouble: string, text: string, parse: () => unknown): void {
  if (!/^-----BEGIN /m.test(text)) throw new PemUnusable(`${trouble}: it has no line of PEM, -----BEGIN`);
  try {
    parse();
  } catch (cause) {
    throw new PemUnusable(`${trouble}: ${types.isNativeError(cause) ? cause.message : String(cause)}`, { cause });
  }
}
