/** Tokens and TLS against our coordinator, with an authority of the test's own: what the options promise, over both transports. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createServer, type Server } from "node:tls";
import { HttpClient } from "@dtm/client-http";
import { Authority, type Certificate, HAS_OPENSSL } from "../../../apps/server/test/kit/certificates.js";
import { type Client, GrpcClient, noCompensation } from "../src/index.js";
import { type Coordinator, notRun, startOurs, temporaryFolder } from "./kit/servers.js";

let coordinator: Coordinator;
let files: Certificate;
let ca: Buffer;

beforeAll(async () => {
  if (!HAS_OPENSSL) return;
  const authority = new Authority(temporaryFolder(), "authority");
  files = authority.certify("server", "IP:127.0.0.1,DNS:localhost");
  ca = readFileSync(authority.ca);
  coordinator = await startOurs({ TLS_CERT_FILE: files.cert, TLS_KEY_FILE: files.key, AUTH_TOKEN: "s3cret" });
}, 300_000);

const clients: Client[] = [];
afterAll(() => {
  for (const client of clients) client.close();
});

interface Access {
  readonly token?: string;
  readonly tls?: {
    readonly ca?: Buffer;
    readonly cert?: Buffer;
    readonly key?: Buffer;
    readonly rejectUnauthorized?: boolean;
  };
}

/** Lets in who shows a certificate of the authority, and passes everything on. */
async function startGate(protocol: string, port: number): Promise<{ readonly address: string; close(): void }> {
  const own = { cert: readFileSync(files.cert), key: readFileSync(files.key), ca };
  const gate: Server = createServer(
    { ...own, requestCert: true, rejectUnauthorized: true, ALPNProtocols: [protocol] },
    (inner) => {
      const outer = connect(port, "127.0.0.1");
      inner.pipe(outer).pipe(inner);
      inner.on("error", () => outer.destroy());
      outer.on("error", () => inner.destroy());
    },
  );
  await new Promise<void>((resolve) => gate.listen(0, "127.0.0.1", resolve));
  const bound = gate.address();
  return { address: `127.0.0.1:${bound !== null && typeof bound === "object" ? bound.port : 0}`, close: () => gate.close() };
}

describe.each(["http", "grpc"] as const)("over %s", (protocol) => {
  const open = (access: Access): Client => {
    const client =
      protocol === "http"
        ? new HttpClient({ server: coordinator.http, ...access, timeoutMs: 20_000 })
        : new GrpcClient({ server: coordinator.grpc, httpServer: coordinator.http, ...access, timeoutMs: 20_000 });
    clients.push(client);
    return client;
  };
  const use = async (client: Client): Promise<void> => {
    const { gid } = await client.saga().step({ action: "http://127.0.0.1:1/x", compensate: noCompensation() }).submit();
    expect(await client.query(gid)).toMatchObject({ gid, status: "submitted" });
  };

  const secured = (title: string, run: () => Promise<void>): void => {
    test(title, async () => (HAS_OPENSSL ? run() : notRun("TLS and tokens of the SDK: openssl isn't installed")));
  };

  secured("its authority and the token let in", () => use(open({ token: "s3cret", tls: { ca } })));
  secured("a certificate isn't checked when that is asked for", () =>
    use(open({ token: "s3cret", tls: { rejectUnauthorized: false } })),
  );

  secured("an unknown authority is refused before anything is sent", async () => {
    await expect(open({ token: "s3cret", tls: {} }).newGid()).rejects.toMatchObject({
      code: "COORDINATOR_UNREACHABLE",
      message: expect.stringMatching(/certificate|signed|UNABLE_TO/i) as unknown,
    });
  });

  secured("shows its own certificate to who asks for one", async () => {
    const plain = await startOurs();
    const port = Number(new URL(protocol === "http" ? plain.http : `http://${plain.grpc}`).port);
    const gate = await startGate(protocol === "http" ? "http/1.1" : "h2", port);
    const through = (tls: Access["tls"]): Client => {
      const options = { tls, timeoutMs: 20_000 };
      const client =
        protocol === "http"
          ? new HttpClient({ server: `https://${gate.address}`, ...options })
          : new GrpcClient({ server: gate.address, httpServer: plain.http, ...options });
      clients.push(client);
      return client;
    };
    await expect(through({ ca }).newGid()).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
    expect(await through({ ca, cert: readFileSync(files.cert), key: readFileSync(files.key) }).newGid()).toMatch(/./);
    gate.close();
  });

  secured("no token, and a wrong one, are refused", async () => {
    await expect(open({ tls: { ca } }).newGid()).rejects.toMatchObject({ code: "COORDINATOR_REFUSED" });
    await expect(open({ token: "wrong", tls: { ca } }).newGid()).rejects.toMatchObject({ code: "COORDINATOR_REFUSED" });
    for (const token of [undefined, "wrong"]) {
      const client = open(token === undefined ? { tls: { ca } } : { token, tls: { ca } });
      const saga = client.saga().step({ action: "http://127.0.0.1:1/x", compensate: noCompensation() });
      await expect(saga.submit({ waitResult: true })).rejects.toMatchObject({ code: "COORDINATOR_REFUSED" });
      const work = jest.fn();
      await expect(client.tcc({ waitResult: true }, work)).rejects.toMatchObject({ code: "COORDINATOR_REFUSED" });
      expect(work).not.toHaveBeenCalled();
    }
  });
});
