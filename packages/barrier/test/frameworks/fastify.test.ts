import { branch, Failure } from "@dtm/protocol";
import fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions } from "fastify";
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
    expect(own).toMatchObject({ reply: { status: 500 }, errors: [early] });
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
    expect(slow).toMatchObject({ reply: { status: 503 }, errors: [early] });
  });

  test("what is written past Fastify can't be held, so the connection breaks", async () => {
    const { reply, errors } = await answered((_payload, _request, { raw }) => {
      raw.writeHead(200, { "content-length": 99 });
      raw.write("{");
      throw new Failure("no money");
    });
    expect(reply).toMatchObject({ code: "ECONNRESET" });
    expect(errors).toEqual([early]);
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
