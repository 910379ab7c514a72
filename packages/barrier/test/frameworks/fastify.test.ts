import { branch } from "@dtm/protocol";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { branchRoute } from "../../src/fastify.js";
import { frameworkContract } from "./contract.js";
import { BRANCH_QUERY, httpCall } from "./http-call.js";

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
