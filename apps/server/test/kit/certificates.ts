/** An authority of the test's own, and what it signed; by openssl, which .ci/run installs. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const HAS_OPENSSL = spawnSync("openssl", ["version"]).status === 0;

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  /** Path of its own certificate. */
  readonly ca: string;

  constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {
    this.ca = this.#at(`${name}.pem`);
    openssl("req", "-x509", ...this.#fresh(name), "-days", "2", "-out", this.ca);
  }

  /** `names` as openssl writes them: `DNS:localhost,IP:127.0.0.1`. */
  certify(owner: string, names: string): Certificate {
    const [request, extensions, cert] = [`${owner}.csr`, `${owner}.names`, `${owner}.pem`].map((file) => this.#at(file)) as [
      string,
      string,
      string,
    ];
    writeFileSync(extensions, `subjectAltName=${names}`);
    openssl("req", ...this.#fresh(owner), "-out", request);
    const signing = ["-CA", this.ca, "-CAkey", this.#at(`${this.name}.key`), "-CAcreateserial", "-days", "2"];
    openssl("x509", "-req", "-in", request, ...signing, "-extfile", extensions, "-out", cert);
    return { cert, key: this.#at(`${owner}.key`) };
  }

  #fresh(owner: string): string[] {
    return ["-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${owner}`, "-keyout", this.#at(`${owner}.key`)];
  }

  #at(file: string): string {
    return join(this.folder, file);
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
