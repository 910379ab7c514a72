import { Readable } from "node:stream";
import { branch, Failure, outcomeFromHttp } from "@dtm/protocol";
import fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions } from "fastify";
import type { BranchCall } from "../../src/context.js";
import { branchRoute } from "../../src/fastify.js";
import { frameworkContract } from "./contract.js";
import { BRANCH_QUERY, httpCall, type Reply } from "./http-call.js";

frameworkContract("Fastify", async (handle, options) => {
  const app = fastify();
  await app.register(branchRoute("/branch", null, handle, options), { prefix: "/service" });
  return { url: `${await app.listen({ port: 0, host: "127.0.0.1" })}/service/branch`, close: () => app.close() };
});

frameworkContract("Fastify with a parser that came first", async (handle, options) => {
  const app = fastify();
  // As plugins do that parse every body in a hook.
  app.addHook("preHandler", async (request) => {
    if (request.body instanceof Buffer && request.body.length > 0) request.body = JSON.parse(request.body.toString());
  });
  await app.register(branchRoute("/branch", null, handle, options), { prefix: "/service" });
  return { url: `${await app.listen({ port: 0, host: "127.0.0.1" })}/service/branch`, close: () => app.close() };
});

describe("Fastify, a handler that sends by itself", () => {
  type Handler = (payload: unknown, request: FastifyRequest, reply: FastifyReply) => unknown;

  /** The answer, and what `onError` was told. */
  async function answered(
    handler: Handler,
    settings: FastifyServerOptions = {},
  ): Promise<{ reply: Reply | Error; errors: string[] }> {
    const errors: string[] = [];
    const onError = (error: unknown): void => void errors.push(String(error));
    const app = fastify(settings);
    await app.register(branchRoute("/branch", null, handler, { onError }));
    const url = `${await app.listen({ port: 0, host: "127.0.0.1" })}/branch?${BRANCH_QUERY}`;
    const reply = await httpCall(url).catch((cause: Error) => cause);
    await app.close();
    return { reply, errors };
  }
  const early = expect.stringContaining("before its handler had ended");

  test("a refusal that comes after it is answered, at once or later", async () => {
    for (const wait of [async () => undefined, () => new Promise((resolve) => setTimeout(resolve, 50))]) {
      const { reply, errors } = await answered(async (_payload, _request, reply) => {
        await reply.code(200).send({ ok: true });
        await wait();
        throw new Failure("no money");
      });
      expect(reply).toMatchObject({ status: 409, body: expect.stringContaining("no money") });
      expect(errors).toEqual([early]);
    }
  });

  test("an error that comes after it is a 500", async () => {
    const { reply, errors } = await answered((_payload, _request, reply) => {
      reply.send({ ok: true });
      throw new Error("database down");
    });
    expect(reply).toMatchObject({ status: 500 });
    expect(errors).toEqual(["Error: database down", early]);
  });

  test.each<[string, Handler]>([
    ["sent", (_payload, _request, reply) => void reply.code(409).send({ dtm_result: "FAILURE" })],
    ["awaited", async (_payload, _request, reply) => void (await reply.code(409).send({ dtm_result: "FAILURE" }))],
    ["returned", async (_payload, _request, reply) => reply.code(409).send({ dtm_result: "FAILURE" })],
    [
      "sent later",
      async (_payload, _request, reply) => {
        setTimeout(() => reply.code(409).send({ dtm_result: "FAILURE" }), 20);
        return reply;
      },
    ],
  ])("what was %s by a handler that ends well goes out", async (_name, handler) => {
    const { reply, errors } = await answered(handler);
    expect(reply).toMatchObject({ status: 409, body: '{"dtm_result":"FAILURE"}' });
    expect(errors).toEqual([early]);
  });

  test("an error that is sent goes out at once, Fastify's own for a slow handler too", async () => {
    const own = await answered((_payload, _request, reply) => void reply.send(new Error("database down")));
    expect(own).toMatchObject({ reply: { status: 500 }, errors: ["Error: database down", early] });
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const slow = await answered(
      async (_payload, _request, reply) => {
        reply.raw.once("finish", end);
        await ended;
        throw new Failure("too late");
      },
      { handlerTimeout: 20 },
    );
    expect(slow).toMatchObject({
      reply: { status: 503 },
      errors: [expect.stringContaining("timed out"), expect.stringContaining("too late")],
    });
  });

  test("what is written past Fastify can't be held, so the connection breaks", async () => {
    const { reply, errors } = await answered((_payload, _request, { raw }) => {
      raw.writeHead(200, { "content-length": 99 });
      raw.write("{");
      throw new Failure("no money");
    });
    expect(reply).toMatchObject({ code: "ECONNRESET" });
    expect(errors).toEqual([expect.stringMatching(/no money.*before its handler had ended/)]);
  });

  test.each<[string, Handler]>([
    ["node's own response", (_payload, _request, { raw }) => void raw.end("{}")],
    [
      "a hijacked one",
      (_payload, _request, reply) => {
        reply.hijack();
        reply.raw.end("{}");
      },
    ],
  ])("a refusal that comes after the end of %s is answered; without one that goes out", async (_name, end) => {
    const refused = await answered(async (...given) => {
      end(...given);
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Failure("no money");
    });
    expect(refused.reply).toMatchObject({ status: 409, body: expect.stringContaining("no money") });
    expect(refused.errors).toEqual([early]);
    expect(await answered(end)).toMatchObject({ reply: { status: 200, body: "{}" }, errors: [early] });
  });

  test.each<[string, Handler]>([
    [
      "its response ended at once",
      (_payload, _request, reply) => {
        reply.raw.end("{}");
        return reply;
      },
    ],
    [
      "its response ended later",
      (_payload, _request, reply) => {
        reply.hijack();
        setTimeout(() => reply.raw.end("{}"), 20);
        return reply;
      },
    ],
    [
      "a stream goes to its response",
      (_payload, _request, reply) => {
        reply.hijack();
        Readable.from(["{", "}"]).pipe(reply.raw);
        return reply;
      },
    ],
  ])("a returned reply is waited for: %s", async (_name, handler) => {
    expect(await answered(handler)).toMatchObject({ reply: { status: 200, body: "{}" }, errors: [early] });
  });

  test("a hijacked reply that nothing was written to is answered all the same", async () => {
    const { reply } = await answered((_payload, _request, reply) => void reply.hijack());
    expect(reply).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
  });
});

describe("Fastify, an application that answers 200 for every error", () => {
  const errors: unknown[] = [];
  const calls: (string | undefined)[] = [];
  let ran = false;
  let url: string;
  const app = fastify();

  beforeAll(async () => {
    app.setErrorHandler((_error, _request, reply) => reply.code(200).send({ ok: false }));
    app.addHook("preHandler", async (request, reply) => {
      const { refuse } = request.query as { readonly refuse?: string };
      if (refuse === undefined) return;
      reply.code(Number(refuse));
      throw new Error("a FAILURE of the session database");
    });
    const onError = (error: unknown, call: BranchCall | null): void => {
      errors.push(error);
      calls.push(call?.gid);
    };
    const handler = (payload: unknown, _request: FastifyRequest, reply: FastifyReply): unknown => {
      ran = true;
      return payload === "send" ? reply.send(new Error("database down")) : undefined;
    };
    await app.register(branchRoute("/branch", null, handler, { onError }));
    app.get("/own", () => Promise.reject(new Error("own")));
    url = await app.listen({ port: 0, host: "127.0.0.1" });
  });
  beforeEach(() => {
    errors.length = 0;
    calls.length = 0;
    ran = false;
  });
  afterAll(() => app.close());

  test.each([
    ["no status", 200, 500],
    ["a status", 503, 503],
    ["the status of a refusal", 409, 500],
    ["the status of one that isn't done", 425, 500],
  ])("a hook that fails with %s is no success and no verdict, and is told with its call", async (_, status, expected) => {
    const reply = await httpCall(`${url}/branch?${BRANCH_QUERY}&refuse=${status}`, "{}");
    expect(reply.status).toBe(expected);
    expect(outcomeFromHttp(reply.status, reply.body).kind).toBe("unknown");
    expect(errors).toEqual([new Error("a FAILURE of the session database")]);
    expect(calls).toEqual(["g-1"]);
    expect(ran).toBe(false);
  });

  test("a body that is too long is a 413", async () => {
    const reply = await httpCall(`${url}/branch?${BRANCH_QUERY}`, JSON.stringify("x".repeat(4 * 1024 * 1024)));
    expect(reply.status).toBe(413);
    expect(errors).toEqual([expect.objectContaining({ code: "FST_ERR_CTP_BODY_TOO_LARGE" })]);
  });

  test("an error that the handler sends is a 500 without its text", async () => {
    const reply = await httpCall(`${url}/branch?${BRANCH_QUERY}`, '"send"');
    expect(reply.status).toBe(500);
    expect(reply.body).not.toContain("database");
    expect(errors).toContainEqual(new Error("database down"));
  });

  test("its own routes are answered as it says", async () => {
    expect(await httpCall(`${url}/own`)).toMatchObject({ status: 200, body: '{"ok":false}' });
    expect(await httpCall(`${url}/branch?${BRANCH_QUERY}`)).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
  });
});

describe("Fastify, bodies and payloads", () => {
  const debit = branch<{ readonly amount: number }>("http://bank/debit");

  test("the application's own routes keep their parser", async () => {
    const app = fastify();
    app.post("/own", async (request) => ({ got: request.body }));
    await app.register(branchRoute("/branch", debit, ({ amount }) => ({ doubled: amount * 2 })));
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    expect(await httpCall(`${url}/own`, '{"a":1}')).toMatchObject({ status: 200, body: '{"got":{"a":1}}' });
    expect(await httpCall(`${url}/branch?${BRANCH_QUERY}`, '{"amount":2}')).toMatchObject({ status: 200, body: '{"doubled":4}' });
    await app.close();
  });

  test("what isn't JSON is a 400, more than 4 MiB a 413, and both are asked again", async () => {
    const errors: unknown[] = [];
    const app = fastify();
    await app.register(branchRoute("/branch", null, () => undefined, { onError: (error) => errors.push(error) }));
    const url = `${await app.listen({ port: 0, host: "127.0.0.1" })}/branch?${BRANCH_QUERY}`;
    expect((await httpCall(url, "{")).status).toBe(400);
    expect(errors).toHaveLength(1);
    expect((await httpCall(url, JSON.stringify("x".repeat(4 * 1024 * 1024 - 2)))).status).toBe(200);
    expect((await httpCall(url, JSON.stringify("x".repeat(4 * 1024 * 1024 - 1)))).status).toBe(413);
    await app.close();
  });

  test.each(["text/plain", "application/x-www-form-urlencoded"])("a body of %s is read", async (type) => {
    const app = fastify();
    await app.register(branchRoute("/branch", debit, ({ amount }) => ({ amount })));
    const url = `${await app.listen({ port: 0, host: "127.0.0.1" })}/branch?${BRANCH_QUERY}`;
    expect(await httpCall(url, '{"amount":30}', { "content-type": type })).toMatchObject({ status: 200, body: '{"amount":30}' });
    await app.close();
  });

  test("the types of the payload, the request and the reply", async () => {
    const app = fastify();
    await app.register(
      branchRoute("/branch", debit, async (payload, request: FastifyRequest, reply: FastifyReply) => {
        reply.header("x-ip", request.ip);
        // @ts-expect-error: the payload has no such field.
        return { doubled: payload.amount * 2, other: payload.other };
      }),
    );
    const reply = await httpCall(`${await app.listen({ port: 0, host: "127.0.0.1" })}/branch?${BRANCH_QUERY}`, '{"amount":4}');
    expect(reply).toMatchObject({ status: 200, body: '{"doubled":8}' });
    expect(reply.headers["x-ip"]).toBe("127.0.0.1");
    await app.close();
  });
});

test.each<[string, unknown, unknown]>([
  ["nothing as its handler", undefined, {}],
  ["an object as its handler", {}, {}],
  [
    "a generator as its handler",
    function* () {
      yield 1;
    },
    {},
  ],
  [
    "an asynchronous generator as its handler",
    async function* () {
      yield 1;
    },
    {},
  ],
  ["null as its options", () => undefined, null],
  ["a text as its options", () => undefined, "x"],
])("Fastify, %s is refused when it is made", (_, handler, options) => {
  expect(() => Reflect.apply(branchRoute, undefined, ["/branch", null, handler, options])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});

test.each([undefined, null, 1, "branch"])("Fastify, %p as its path is refused when it is made", (path) => {
  expect(() => Reflect.apply(branchRoute, undefined, [path, null, () => undefined])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});
