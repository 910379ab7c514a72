/** TLS to the databases (Store.Tls*), each on a server of its own that takes nothing else: who is believed, who is let in, and what is said. */
import { Redis } from "ioredis";
import mysql from "mysql2/promise";
import pg from "pg";
import { OwnService } from "../../test/e2e/database-down/own-service.js";
import { temporaryFolder } from "../../test/e2e/kit/temp-folder.js";
import { Authority, HAS_OPENSSL } from "../../test/kit/certificates.js";
import { notRun } from "../../test/kit/with-server.js";
import { openMysql } from "./mysql/store.js";
import { openPostgres } from "./postgres/store.js";
import { openRedis } from "./redis/store.js";
import type { Tls } from "./relational/tls.js";
import type { Store } from "./store.js";

jest.setTimeout(120_000);

interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly tls: Tls;
}

interface Kind {
  readonly service: string;
  /** Who is let in without a certificate. */
  readonly anybody: string;
  readonly certified: string;
  /** From now on `certified` is let in with a certificate only. */
  readonly demand: (port: number) => Promise<void>;
  readonly open: (login: Login) => Store;
  /** What is said to one who comes without TLS, and to one who lacks a certificate. */
  readonly plain: RegExp;
  readonly uncertified: RegExp;
  /** What is said to one who knows the server by its address, where the certificate has a name. */
  readonly misnamed: RegExp;
}

const MISNAMED =
  /^the certificate of .*127\.0\.0\.1:\d+ is for another name: .*; set Store\.Host \(STORE_HOST\) to a name that it has, or Store\.TlsMode/;

const UNCHECKED = { rejectUnauthorized: false };

const KINDS: Readonly<Record<string, Kind>> = {
  PostgreSQL: {
    service: "postgres",
    anybody: "postgres",
    certified: "certified",
    async demand(port) {
      const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres", ssl: UNCHECKED });
      await client.connect();
      await client.query("CREATE ROLE certified LOGIN SUPERUSER");
      await client.end();
    },
    open: (login) => openPostgres({ ...login, password: "", database: "postgres", schema: "public", maxConnections: 8 }),
    plain:
      /^PostgreSQL at .* refused the user postgres: no pg_hba.conf entry .*; set Store\.TlsMode \(STORE_TLS_MODE\) to require/,
    misnamed: MISNAMED,
    uncertified:
      /^PostgreSQL at .* refused the user certified: connection requires a valid client certificate; check Store\.TlsCertFile/,
  },
  MariaDB: {
    service: "mysql",
    anybody: "root",
    certified: "certified",
    async demand(port) {
      const client = await mysql.createConnection({ host: "127.0.0.1", port, user: "root", ssl: UNCHECKED });
      await client.query("CREATE USER certified REQUIRE X509");
      await client.query("GRANT ALL ON mysql.* TO certified");
      await client.end();
    },
    open: (login) => openMysql({ ...login, password: "", database: "mysql", zoneHours: 0, maxConnections: 8 }),
    // MySQL says what it wants, MariaDB only that it doesn't want.
    plain: /^the server at .*(takes nothing without TLS: .*; set|; check .*, and) Store\.TlsMode \(STORE_TLS_MODE\)/,
    misnamed:
      /^Store\.Host \(STORE_HOST\) is an address, 127\.0\.0\.1, and of a MySQL server only a name can be verified: name it/,
    uncertified: /^the server at .* refused the user certified: Access denied .*, and Store\.TlsCertFile \(STORE_TLS_CERT_FILE\)/,
  },
  Redis: {
    service: "redis",
    anybody: "",
    certified: "",
    async demand(port) {
      const redis = new Redis({ port, tls: UNCHECKED });
      await redis.config("SET", "tls-auth-clients", "yes");
      redis.disconnect();
    },
    open: ({ host, port, ...login }) =>
      openRedis({
        ...login,
        hosts: [{ host, port }],
        password: "",
        sentinelMaster: "",
        sentinelPassword: "",
        prefix: "dtm",
        replicas: { count: 0, withinMs: 1_000 },
      }),
    plain: /^no Redis answers at .*; check .* and the TLS settings$/,
    misnamed: MISNAMED,
    uncertified: /^Redis at .* refused the certificate that it was shown, or was shown none: .*; check Store\.TlsCertFile/,
  },
};

describe.each(Object.entries(KINDS))("%s with TLS", (name, kind) => {
  let own: OwnService | null = null;
  let authority: Authority;
  let stranger: Authority;
  beforeAll(async () => {
    if (!HAS_OPENSSL) return;
    authority = new Authority(temporaryFolder(), "authority");
    stranger = new Authority(temporaryFolder(), "stranger");
    own = await OwnService.start(kind.service, { tls: { ca: authority.ca, ...authority.certify("server", "DNS:localhost") } });
  });
  afterAll(() => own?.stop());

  const whenThere = (title: string, body: (port: number) => Promise<void>): void =>
    test(title, async () => {
      const [port] = own?.ports ?? [];
      if (port === undefined) return notRun(`${title}: ${name} or openssl is missing`);
      await body(port);
    });

  const opened = async (port: number, tls: Partial<Tls>, login: Partial<Login> = {}): Promise<string> => {
    const all: Tls = { mode: "disable", caFile: "", certFile: "", keyFile: "", ...tls };
    let store: Store | null = null;
    try {
      store = kind.open({ host: "127.0.0.1", port, user: kind.anybody, tls: all, ...login });
      await store.open();
      return (await store.heartbeat("here", 1_000)) ? "serves" : "refuses";
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause);
    } finally {
      await store?.close();
    }
  };

  whenThere("takes nothing else, and says so", async (port) => {
    expect(await opened(port, {})).toMatch(kind.plain);
  });

  whenThere("require believes anybody, whatever authority is named or not", async (port) => {
    expect(await opened(port, { mode: "require" })).toBe("serves");
    expect(await opened(port, { mode: "require", caFile: stranger.ca })).toBe("serves");
  });

  whenThere("verify-ca believes whom the authority signed, by any name", async (port) => {
    expect(await opened(port, { mode: "verify-ca", caFile: authority.ca })).toBe("serves");
    for (const caFile of [stranger.ca, ""])
      expect(await opened(port, { mode: "verify-ca", caFile })).toMatch(
        /^the certificate of .*127\.0\.0\.1:\d+ is not trusted: .*certificate.*; check Store\.TlsCaFile \(STORE_TLS_CA_FILE\)$/,
      );
  });

  whenThere("verify-full believes it under its own name", async (port) => {
    const tls = { mode: "verify-full", caFile: authority.ca } as const;
    expect(await opened(port, tls, { host: "localhost" })).toBe("serves");
    expect(await opened(port, tls)).toMatch(kind.misnamed);
    // Another name of 127.0.0.1, for the resolver.
    expect(await opened(port, tls, { host: "127.1" })).toMatch(/^the certificate of .*127\.1:\d+ is for another name: /);
  });

  whenThere("a certificate of one's own is shown, and one that it doesn't know isn't enough", async (port) => {
    await kind.demand(port);
    const login = { user: kind.certified };
    const tls = { mode: "verify-ca", caFile: authority.ca } as const;
    const { cert: certFile, key: keyFile } = authority.certify("client", "DNS:client");
    expect(await opened(port, { ...tls, certFile, keyFile }, login)).toBe("serves");
    expect(await opened(port, tls, login)).toMatch(kind.uncertified);
    const strange = stranger.certify("client", "DNS:client");
    expect(await opened(port, { ...tls, certFile: strange.cert, keyFile: strange.key }, login)).toMatch(
      /refused the certificate that it was shown, or was shown none: .*; check Store\.TlsCertFile \(STORE_TLS_CERT_FILE\)/,
    );
  });
});
