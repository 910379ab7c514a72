import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import type { Place } from "./egress.js";
import { openParticipants, type ParticipantSettings } from "./open.js";
import type { Invocation, Outcome, Participants } from "./participant.js";

// A loaded machine may stand still for seconds; nothing here measures time.
jest.setTimeout(30_000);

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function participants(settings: Partial<ParticipantSettings> = {}): Participants {
  const opened = openParticipants(settings);
  closers.push(() => opened.close());
  return opened;
}

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

interface Service {
  readonly origin: string;
  readonly seen: Seen[];
  readonly sockets: Set<Socket>;
  readonly server: Server;
}

type Answer = (request: Seen, response: ServerResponse) => void;
const ok: Answer = (_, response) => response.end("ok");

async function service(answer: Answer = ok): Promise<Service> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers, rawHeaders } = request;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) };
      seen.push(one);
      answer(one, response);
    });
  };
  const server = createServer(listener).on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, sockets, server };
}

/** Answers each request on each connection with raw bytes, or cuts the connection. */
async function rawService(answer: (connection: number, request: number, socket: Socket) => void): Promise<string> {
  let connections = 0;
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    const connection = ++connections;
    let requests = 0;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => answer(connection, ++requests, socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const RAW_OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function invocation(url: string, change: Partial<Invocation> = {}): Invocation {
  return {
    url,
    protocol: "http",
    gid: "g1",
    type: "saga",
    branchId: "01",
    op: "action",
    payload: Buffer.from('{"amount":30}'),
    headers: {},
    timeoutMs: 25_000,
    ...change,
  };
}

const EMPTY = Buffer.alloc(0);
const SUCCESS: Outcome = { kind: "success" };
const messageOf = (outcome: Outcome): string => (outcome.kind === "unknown" ? outcome.message : JSON.stringify(outcome));

describe("what is sent (protocol.md 3.2)", () => {
  test("a payload goes as POST, byte for byte, with the call in the query", async () => {
    const { origin, seen } = await service();
    const payload = Buffer.from([0, 255, 10, 13, 123]);
    expect(await participants().call(invocation(`${origin}/debit`, { payload }))).toEqual(SUCCESS);
    expect(seen).toMatchObject([{ method: "POST", url: "/debit?branch_id=01&gid=g1&op=action&trans_type=saga" }]);
    expect(seen[0]?.body.equals(payload)).toBe(true);
    const headers = { "content-type": "application/json", accept: "application/json", "user-agent": "dtm" };
    expect(seen[0]?.headers).toMatchObject(headers);
  });

  test("no payload goes as GET, with Content-Type all the same", async () => {
    const { origin, seen } = await service();
    await participants().call(invocation(`${origin}/qq?x=1`, { payload: EMPTY, type: "msg", branchId: "00", op: "msg" }));
    expect(seen).toMatchObject([{ method: "GET", url: "/qq?x=1&branch_id=00&gid=g1&op=msg&trans_type=msg" }]);
    expect(seen[0]?.headers["content-type"]).toBe("application/json");
  });

  test("a scheme in capitals is the same scheme", async () => {
    const { origin, seen } = await service();
    expect(await participants().call(invocation(origin.replace("http://", "HTTP://"), { payload: EMPTY }))).toEqual(SUCCESS);
    expect(seen).toMatchObject([{ method: "GET" }]);
  });

  test("xa is POST even without a payload", async () => {
    const { origin, seen } = await service();
    await participants().call(invocation(`${origin}/xa`, { payload: EMPTY, type: "xa", op: "commit" }));
    expect(seen).toMatchObject([{ method: "POST" }]);
  });

  test.each([
    ["", "/?branch_id"],
    ["/", "/?branch_id"],
    ["?a=b", "/?a=b&branch_id"],
    ["/p?", "/p?branch_id"],
    ["/p#top", "/p?branch_id"],
    ["/p?a=1#top?x", "/p?a=1&branch_id"],
    ["/a/../b//c", "/a/../b//c?branch_id"],
    ["/%7euser/%2F?q=%zz+%20'", "/%7euser/%2F?q=%zz+%20'&branch_id"],
    ["/ä b?c={d|ü}", "/%C3%A4%20b?c={d|%C3%BC}&branch_id"],
    ["/{id}", "/%7Bid%7D?branch_id"],
  ])("a stored URL that ends in %j is asked as %j…", async (rest, expected) => {
    const { origin, seen } = await service();
    await participants().call(invocation(origin + rest));
    expect(seen[0]?.url.slice(0, expected.length)).toBe(expected);
  });

  test("the query's values are escaped as Go does it", async () => {
    const { origin, seen } = await service();
    await participants().call(invocation(origin, { gid: "a b&c=d/ü(1)*", op: "x+y\ud800", branchId: "01-01~" }));
    expect(seen[0]?.url).toBe("/?branch_id=01-01~&gid=a+b%26c%3Dd%2F%C3%BC%281%29%2A&op=x%2By%EF%BF%BD&trans_type=saga");
  });

  test("names of branch headers are written as Go writes them, for services that compare letter by letter", async () => {
    const { origin, seen } = await service();
    await participants().call(invocation(origin, { headers: { "X-Test-ID": "1", authorization: "t" } }));
    expect(seen[0]?.rawHeaders).toEqual(expect.arrayContaining(["X-Test-Id", "Authorization", "Content-Type"]));
  });

  test("branch headers override, hop-by-hop ones don't pass (R22)", async () => {
    const { origin, seen } = await service();
    const headers = {
      "Content-Type": "text/plain",
      "X-Tenant": "blüe",
      "Accept-Encoding": "gzip",
      Connection: "close",
      "content-length": "1",
      "Transfer-Encoding": "chunked",
      TE: "trailers",
      Expect: "100-continue",
    };
    expect(await participants().call(invocation(origin, { headers }))).toEqual(SUCCESS);
    expect(seen[0]?.headers).toMatchObject({ "content-type": "text/plain", accept: "application/json", "content-length": "13" });
    expect(seen[0]?.headers).toMatchObject({ "x-tenant": Buffer.from("blüe").toString("latin1"), connection: "keep-alive" });
    for (const name of ["transfer-encoding", "te", "expect", "accept-encoding"])
      expect(seen[0]?.headers).not.toHaveProperty(name);
  });

  test("credentials of the URL become an Authorization header", async () => {
    const { origin, seen } = await service();
    await participants().call(invocation(origin.replace("//", "//me:p%40ss@")));
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  });

  test("one connection serves calls that follow each other", async () => {
    const { origin, sockets } = await service();
    const calls = participants({ socketsPerOrigin: 1 });
    for (let i = 0; i < 5; i++) await calls.call(invocation(origin));
    expect(sockets.size).toBe(1);
  });

  test("with IS_DOCKER localhost is the container's host", async () => {
    const asked: string[] = [];
    const refuse = ({ host }: Place): string => {
      asked.push(host);
      return "seen";
    };
    const egress = { refuse, refuseAddress: () => null };
    const calls = participants({ isDocker: true, egress });
    for (const host of ["localhost", "127.0.0.1", "example.test"]) await calls.call(invocation(`http://${host}:1/`));
    await calls.call(invocation("localhost:1/a.B/C", { protocol: "grpc" }));
    expect(asked).toEqual(["host.docker.internal", "host.docker.internal", "example.test", "host.docker.internal"]);
  });
});

describe("what is heard", () => {
  const packed = (encoding: string, body: Buffer, status = 200): Answer => {
    return (_, response) => response.writeHead(status, { "Content-Encoding": encoding }).end(body);
  };
  const refusing = '{"dtm_result":"FAILURE"}';
  test.each<[string, Buffer]>([
    ["gzip", gzipSync(refusing)],
    ["GZIP", gzipSync(refusing)],
    ["x-gzip", gzipSync(refusing)],
    ["deflate", deflateSync(refusing)],
    ["deflate", deflateRawSync(refusing)],
    ["br", brotliCompressSync(refusing)],
    ["identity", Buffer.from(refusing)],
  ])("a refusal packed as %s", async (encoding, body) => {
    const { origin } = await service(packed(encoding, body));
    expect(await participants().call(invocation(origin))).toEqual({ kind: "failure", reason: refusing });
  });

  test("a refusal in front of a long packed body", async () => {
    const { origin } = await service(packed("gzip", gzipSync(Buffer.concat([Buffer.from(refusing), randomBytes(300_000)]))));
    expect(await participants().call(invocation(origin))).toMatchObject({ kind: "failure" });
  });

  test.each<[string, Buffer]>([
    ["zstd", Buffer.from(refusing)],
    ["gzip, br", gzipSync(refusing)],
    ["gzip", Buffer.from(refusing)],
    ["gzip", gzipSync(Buffer.alloc(8 * 1024 * 1024))],
  ])("a body that can't be read is no success: %s", async (encoding, body) => {
    const { origin } = await service(packed(encoding, body));
    const outcome = await participants().call(invocation(origin));
    expect(outcome).toMatchObject({ kind: "unknown", message: expect.stringContaining("which can't be read") as unknown });
    const refused = await service(packed(encoding, body, 409));
    expect(await participants().call(invocation(refused.origin))).toEqual({ kind: "failure", reason: "" });
  });

  test("headers of 100 KiB", async () => {
    const { origin } = await service((_, response) => response.writeHead(200, { "X-Long": "x".repeat(100_000) }).end());
    expect(await participants().call(invocation(origin))).toEqual(SUCCESS);
  });

  test.each([
    [200, "ok", "success"],
    [200, '{"dtm_result":"FAILURE"}', "failure"],
    [200, "ONGOING", "ongoing"],
    [409, "", "failure"],
    [425, "", "ongoing"],
    [201, "", "unknown"],
    [204, "", "unknown"],
    [500, "FAILURE", "failure"],
    [500, "", "unknown"],
  ] as const)("%s %j is %s", async (code, body, kind) => {
    const { origin } = await service((_, response) => response.writeHead(code).end(body));
    expect((await participants().call(invocation(origin))).kind).toBe(kind);
  });

  test("Retry-After is passed on", async () => {
    const { origin } = await service((_, response) => response.writeHead(503, { "retry-after": "9" }).end("busy"));
    expect(await participants().call(invocation(origin))).toEqual({
      kind: "unknown",
      message: "busy",
      retryAfterMs: 9_000,
    });
  });

  test("informational answers are passed over", async () => {
    const { origin } = await service((_, response) => {
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.end("ok");
    });
    expect(await participants().call(invocation(origin))).toEqual(SUCCESS);
  });

  test("words in several chunks are found, and split characters survive", async () => {
    const { origin } = await service((_, response) => {
      response.writeHead(200);
      response.write(Buffer.from("geh\u00fc").subarray(0, 4));
      setImmediate(() => response.end(Buffer.concat([Buffer.from("\u00fc").subarray(1), Buffer.from("rt FAILURE")])));
    });
    expect(await participants().call(invocation(origin))).toEqual({ kind: "failure", reason: "gehürt" });
  });

  test("the verdict comes from the first 64 KiB, and the connection can be used again (R17)", async () => {
    const { origin, sockets } = await service((_, response) => response.end(`${"x".repeat(200_000)} FAILURE`));
    const calls = participants();
    expect(await calls.call(invocation(origin))).toEqual(SUCCESS);
    expect(await calls.call(invocation(origin))).toEqual(SUCCESS);
    expect([1, 2]).toContain(sockets.size);
  });

  test("an endless body is cut off once its verdict is known", async () => {
    let cut: (value: unknown) => void = () => {};
    const wasCut = new Promise((resolve) => {
      cut = resolve;
    });
    const { origin } = await service((_, response) => {
      const chunk = Buffer.alloc(65_536, "x");
      const more = (): void => {
        while (response.write(chunk));
      };
      response.on("drain", more).on("close", cut);
      more();
    });
    expect(await participants().call(invocation(origin))).toEqual(SUCCESS);
    await wasCut;
  });

  test.each([
    ["a refused connection", "http://127.0.0.1:1/", /^POST http:\/\/127.0.0.1:1\/.*ECONNREFUSED/],
    ["a name that nobody has", "http://no-such-host.invalid/", /ENOTFOUND|EAI_AGAIN/],
    ["another scheme", "ftp://host/x", /unsupported protocol scheme/],
    ["no scheme", "host/x", /unsupported protocol scheme/],
    ["a broken authority", "http://a b/", /bad url/],
    ["an authority that readers disagree on", "http://good.test\\@bad.test/", /bad url/],
    ["no host", "http:///x", /bad url/],
  ])("%s is a temporary error", async (_, url, expected) => {
    expect(messageOf(await participants().call(invocation(url)))).toMatch(expected);
  });

  test("a header that HTTP refuses is a temporary error, too", async () => {
    const { origin, seen } = await service();
    for (const headers of [{ "bad name": "x" }, { a: "line\nbreak" }])
      expect((await participants().call(invocation(origin, { headers }))).kind).toBe("unknown");
    expect(seen).toHaveLength(0);
  });

  test("an answer that is cut short is a temporary error, whatever its beginning says", async () => {
    const origin = await rawService((_, __, socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nFAILURE", () => socket.destroy());
    });
    expect((await participants().call(invocation(origin))).kind).toBe("unknown");
  });

  test("what is not HTTP is a temporary error", async () => {
    const origin = await rawService((_, __, socket) => socket.end("SSH-2.0-x\r\n"));
    expect((await participants().call(invocation(origin))).kind).toBe("unknown");
  });
});

describe("deadline", () => {
  test.each([
    ["no head", (): void => {}],
    ["a head without an end", (_: Seen, response: ServerResponse): void => void response.writeHead(200).write("ok")],
    [
      "a body that drips on",
      (_: Seen, response: ServerResponse): void => {
        const drip = setInterval(() => response.write("x"), 5);
        response.on("close", () => clearInterval(drip));
      },
    ],
  ] as const)("holds over %s, and the connection is given up", async (_, answer) => {
    const { origin, sockets } = await service(answer);
    const outcome = await participants().call(invocation(origin, { timeoutMs: 60 }));
    expect(messageOf(outcome)).toMatch(/no answer within 60 ms$/);
    const [socket] = sockets;
    if (socket?.destroyed === false) await new Promise((resolve) => socket.on("close", resolve));
  });

  test("holds over all hops together, and no hop begins after it", async () => {
    const { origin, seen } = await service((_, response) => {
      setTimeout(() => response.writeHead(307, { location: "/again" }).end(), 40);
    });
    const outcome = await participants().call(invocation(origin, { timeoutMs: 60 }));
    expect(messageOf(outcome)).toMatch(/no answer within/);
    expect(seen.length).toBeLessThanOrEqual(2);
  });

  test("a call that never got a connection is not sent later", async () => {
    const { origin, seen } = await service((request, response) => {
      if (request.url.startsWith("/free")) response.end("ok");
    });
    const calls = participants({ socketsPerOrigin: 1 });
    const holder = calls.call(invocation(`${origin}/hold`, { timeoutMs: 150 }));
    const queued = await calls.call(invocation(`${origin}/queued`, { timeoutMs: 30 }));
    expect(messageOf(queued)).toMatch(/no answer within 30 ms/);
    await holder;
    expect(await calls.call(invocation(`${origin}/free`))).toEqual(SUCCESS);
    expect(seen.map(({ url }) => url.split("?")[0])).toEqual(["/hold", "/free"]);
  });
});

describe("redirects (R21)", () => {
  const redirect =
    (code: number, to: (hop: number) => string | null): Answer =>
    ({ url }, response) => {
      const hop = Number(/^\/(\d+)/.exec(url)?.[1] ?? 0);
      const location = to(hop + 1);
      if (location === null) response.end("ok");
      else response.writeHead(code, { location }).end("moved");
    };

  test.each([307, 308])("%s is followed with method, body and headers", async (code) => {
    const { origin, seen } = await service(redirect(code, (hop) => (hop > 3 ? null : `/${hop}?kept=1`)));
    expect(await participants().call(invocation(`${origin}/0`, { headers: { authorization: "t" } }))).toEqual(SUCCESS);
    expect(seen.map(({ url }) => url.slice(0, 2))).toEqual(["/0", "/1", "/2", "/3"]);
    expect(seen[3]).toMatchObject({ method: "POST", url: "/3?kept=1", body: Buffer.from('{"amount":30}') });
    expect(seen[3]?.headers).toMatchObject({ authorization: "t", "content-type": "application/json" });
  });

  test("a fourth hop isn't taken", async () => {
    const { origin, seen } = await service(redirect(307, (hop) => `/${hop}`));
    expect(messageOf(await participants().call(invocation(`${origin}/0`)))).toMatch(
      /answered 307 with location \/4, .*more than 3/,
    );
    expect(seen).toHaveLength(4);
  });

  test.each([301, 302, 303])("%s is followed for GET, and named for POST", async (code) => {
    const { origin, seen } = await service(redirect(code, (hop) => (hop > 1 ? null : "/1")));
    const calls = participants();
    expect(await calls.call(invocation(`${origin}/0`, { payload: EMPTY }))).toEqual(SUCCESS);
    expect(seen.map(({ method }) => method)).toEqual(["GET", "GET"]);
    expect(messageOf(await calls.call(invocation(`${origin}/0`)))).toContain(`answered ${code} with location /1`);
    expect(seen).toHaveLength(3);
  });

  test("the words in a redirect's own body don't count", async () => {
    const { origin } = await service((_, response) => response.writeHead(302, { location: "/login" }).end("FAILURE"));
    expect((await participants().call(invocation(origin))).kind).toBe("unknown");
  });

  test("another code, or one without a location, is an answer like any other", async () => {
    const { origin } = await service(({ url }, response) => response.writeHead(url.startsWith("/304") ? 304 : 307).end());
    const calls = participants();
    expect(messageOf(await calls.call(invocation(`${origin}/304`)))).toBe("participant answered 304");
    expect(messageOf(await calls.call(invocation(`${origin}/x`)))).toBe("participant answered 307");
  });

  test("every hop passes the egress rules, and credentials stay with their origin", async () => {
    const other = await service();
    const { origin } = await service((_, response) => response.writeHead(307, { location: `${other.origin}/there` }).end());
    const headers = { authorization: "secret", cookie: "c", "x-tenant": "t" };
    expect(await participants().call(invocation(origin, { headers }))).toEqual(SUCCESS);
    expect(other.seen[0]?.headers).toMatchObject({ "x-tenant": "t" });
    for (const name of ["authorization", "cookie"]) expect(other.seen[0]?.headers).not.toHaveProperty(name);

    const closed = Number(new URL(other.origin).port);
    const egress = {
      refuse: ({ port }: Place) => (port === closed ? "that port is closed" : null),
      refuseAddress: () => null,
    };
    expect(messageOf(await participants({ egress }).call(invocation(origin)))).toMatch(/not called: that port is closed/);
    expect(other.seen).toHaveLength(1);
  });

  test("a location of another scheme is not followed", async () => {
    const { origin } = await service((_, response) => response.writeHead(307, { location: "file:///etc/passwd" }).end());
    expect(messageOf(await participants().call(invocation(origin)))).toMatch(/location file:.*unsupported protocol scheme/);
  });
});

describe("egress", () => {
  test("a name is judged by what it resolves to, and only that is connected to", async () => {
    const { origin, seen } = await service();
    const asked: string[] = [];
    const egress = {
      refuse: () => null,
      refuseAddress: (address: string, host: string) => {
        asked.push(`${host} ${address}`);
        return `${host} is ${address}, which is closed`;
      },
    };
    const outcome = await participants({ egress }).call(invocation(origin.replace("127.0.0.1", "localhost")));
    expect(messageOf(outcome)).toMatch(/localhost is .*, which is closed/);
    expect(asked.length).toBeGreaterThan(0);
    expect(seen).toHaveLength(0);
  });

  test("an address that is allowed is used", async () => {
    const { origin } = await service();
    const egress = { refuse: () => null, refuseAddress: (address: string) => (address === "127.0.0.1" ? null : "closed") };
    expect(await participants({ egress }).call(invocation(origin.replace("127.0.0.1", "localhost")))).toEqual(SUCCESS);
  });
});

describe("one repeat (R20)", () => {
  test("a reused connection that is reset before any byte of the answer costs nothing", async () => {
    const served: string[] = [];
    const origin = await rawService((connection, request, socket) => {
      served.push(`${connection}.${request}`);
      if (connection === 1 && request === 2) socket.resetAndDestroy();
      else socket.write(RAW_OK);
    });
    const calls = participants({ socketsPerOrigin: 1 });
    expect(await calls.call(invocation(origin))).toEqual(SUCCESS);
    expect(await calls.call(invocation(origin))).toEqual(SUCCESS);
    expect(served).toEqual(["1.1", "1.2", "2.1"]);
  });

  test("a connection that was closed in good order is repeated as well, and only once", async () => {
    const served: string[] = [];
    const origin = await rawService((connection, request, socket) => {
      served.push(`${connection}.${request}`);
      if (request === 1 && connection === 1) socket.write(RAW_OK);
      else socket.end();
    });
    const calls = participants({ socketsPerOrigin: 1 });
    await calls.call(invocation(origin));
    expect((await calls.call(invocation(origin))).kind).toBe("unknown");
    expect(served).toEqual(["1.1", "1.2", "2.1"]);
  });

  test("a fresh connection that is reset is not", async () => {
    const served: number[] = [];
    const origin = await rawService((connection, _, socket) => {
      served.push(connection);
      socket.resetAndDestroy();
    });
    expect((await participants().call(invocation(origin))).kind).toBe("unknown");
    expect(served).toEqual([1]);
  });

  test("nor is a reset after the first byte of the answer", async () => {
    const served: string[] = [];
    const origin = await rawService((connection, request, socket) => {
      served.push(`${connection}.${request}`);
      if (request === 1) socket.write(RAW_OK);
      else socket.write("HTTP/1.1 2", () => socket.destroy());
    });
    const calls = participants({ socketsPerOrigin: 1 });
    await calls.call(invocation(origin));
    expect((await calls.call(invocation(origin))).kind).toBe("unknown");
    expect(served).toEqual(["1.1", "1.2"]);
  });

  test("a service that restarted is found at once by every call", async () => {
    const first = await service();
    const port = Number(new URL(first.origin).port);
    const calls = participants();
    await Promise.all(Array.from({ length: 20 }, () => calls.call(invocation(first.origin))));
    await new Promise((resolve) => first.server.close(resolve).closeAllConnections());
    const second = createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => second.listen(port, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => second.close(resolve).closeAllConnections()));
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => calls.call(invocation(first.origin))));
    expect(outcomes.every(({ kind }) => kind === "success")).toBe(true);
  });
});

describe("closing", () => {
  test("ends the calls in flight, and begins no others", async () => {
    const { origin, sockets } = await service(() => {});
    const calls = participants();
    const inFlight = calls.call(invocation(origin));
    while (sockets.size === 0) await new Promise(setImmediate);
    await calls.close();
    expect((await inFlight).kind).toBe("unknown");
    expect(messageOf(await calls.call(invocation(origin)))).toMatch(/stopped/);
  });
});
