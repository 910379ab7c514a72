import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { branch, Failure, outcomeFromHttp } from "@dtm/protocol";
import express, { type Express, Router } from "express";
import type { BranchCall } from "../../src/context.js";
import { branchHandler } from "../../src/express.js";
import { currentBranch } from "../../src/index.js";
import { frameworkContract, type Served } from "./contract.js";
import { BRANCH_QUERY, httpCall, type Reply } from "./http-call.js";

function listen(app: Express): Promise<Served> {
  return new Promise((resolve, reject) => {
    const server = app.listen(0, "127.0.0.1", (error?: Error) => {
      if (error !== undefined) return reject(error);
      const { port } = server.address() as AddressInfo;
      resolve({
        url: `http://127.0.0.1:${port}/service/branch`,
        close: () =>
          new Promise((done, failed) => {
            server.close((cause) => (cause === undefined ? done() : failed(cause)));
            server.closeAllConnections();
          }),
      });
    });
  });
}

function under(app: Express, handler: ReturnType<typeof branchHandler>): Express {
  return app.use("/service", Router().all("/branch", handler));
}

frameworkContract("Express, reading the body itself", (handle, options) =>
  listen(under(express(), branchHandler(null, handle, options))),
);

frameworkContract("Express with express.json() before it", (handle, options) =>
  listen(under(express().use(express.json()), branchHandler(null, handle, options))),
);

frameworkContract("Express with express.text() before it, and no query parser", (handle, options) =>
  listen(
    under(
      express()
        .set("query parser", false)
        .use(express.text({ type: "*/*" })),
      branchHandler(null, handle, options),
    ),
  ),
);

test("phase 2 of XA comes without a payload, and neither the parser nor a handler that takes it apart is in its way", async () => {
  const ops: unknown[] = [];
  const handler = branchHandler<{ readonly amount: number }>(null, ({ amount }) => void ops.push([currentBranch().op, amount]), {
    onError: () => undefined,
    parse(payload) {
      if (payload === undefined) throw new Failure("no payload");
      return payload as { readonly amount: number };
    },
  });
  const bank = await listen(under(express(), handler));
  const call = async (op: string, body: string) =>
    (await httpCall(`${bank.url}?gid=g&trans_type=xa&branch_id=01&op=${op}`, body)).status;
  expect([await call("action", '{"amount":30}'), await call("commit", ""), await call("rollback", "")]).toEqual([200, 200, 200]);
  expect(await call("action", "")).toBe(409);
  expect(ops).toEqual([
    ["action", 30],
    ["commit", undefined],
    ["rollback", undefined],
  ]);
  await bank.close();
});

describe("Express, bodies and payloads", () => {
  const debit = branch<{ readonly amount: number }>("http://bank/debit");
  const errors: unknown[] = [];
  let served: Served;
  const seen: number[] = [];

  beforeAll(async () => {
    const app = express();
    app.all(
      "/service/branch",
      branchHandler(debit, async ({ amount }) => void seen.push(amount), {
        onError: (error) => errors.push(error),
        parse(payload) {
          const amount: unknown = typeof payload === "object" && payload !== null ? Reflect.get(payload, "amount") : undefined;
          if (amount === 0) throw new Failure("nothing to debit");
          if (typeof amount !== "number") throw new Error("amount is missing");
          return { amount };
        },
      }),
    );
    served = await listen(app);
  });
  beforeEach(() => {
    errors.length = 0;
    seen.length = 0;
  });
  afterAll(() => served.close());
  const call = (body: string) => httpCall(`${served.url}?${BRANCH_QUERY}`, body);

  test("the parser decides: a Failure for good, anything else is asked again", async () => {
    expect((await call('{"amount":3}')).status).toBe(200);
    expect((await call('{"amount":0}')).status).toBe(409);
    expect((await call("{}")).status).toBe(500);
    expect(errors).toEqual([new Error("amount is missing")]);
    expect(seen).toEqual([3]);
  });

  test("what isn't JSON is a 400 and asked again, whatever words it has", async () => {
    const reply = await call("FAILURE {");
    expect(reply.status).toBe(400);
    expect(outcomeFromHttp(reply.status, reply.body).kind).toBe("unknown");
    expect(errors).toHaveLength(1);
  });

  test("4 MiB are taken, more isn't", async () => {
    const body = (bytes: number) => JSON.stringify({ amount: 1, note: "x".repeat(bytes) });
    const frame = body(0).length;
    expect((await call(body(4 * 1024 * 1024 - frame))).status).toBe(200);
    expect((await call(body(4 * 1024 * 1024 - frame + 1))).status).toBe(413);
    expect(seen).toEqual([1]);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "application/json"])(
    "a body of %s is read, though Express 4's parser left an empty object in its place",
    async (type) => {
      const app = express();
      app.use((request, response, next) => {
        request.body = {};
        if (request.is("json")) express.json()(request, response, next);
        else next();
      });
      const own = await listen(
        under(
          app,
          branchHandler(debit, ({ amount }) => ({ amount })),
        ),
      );
      const reply = await httpCall(`${own.url}?${BRANCH_QUERY}`, '{"amount":30}', { "content-type": type });
      await own.close();
      expect(reply).toMatchObject({ status: 200, body: '{"amount":30}' });
    },
  );

  test("what a parser did read is the payload, also of a form", async () => {
    const app = express().use(express.urlencoded());
    const own = await listen(
      under(
        app,
        branchHandler(null, (payload) => payload),
      ),
    );
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const reply = await httpCall(`${own.url}?${BRANCH_QUERY}`, "amount=30", form);
    await own.close();
    expect(reply).toMatchObject({ status: 200, body: '{"amount":"30"}' });
  });

  test("the types of the payload, the request and the response", async () => {
    const app = express();
    app.post(
      "/service/branch",
      branchHandler(debit, (payload, request: express.Request, response: express.Response) => {
        response.setHeader("x-ip", request.ip ?? "");
        // @ts-expect-error: the payload has no such field.
        return { doubled: payload.amount * 2, other: payload.other };
      }),
    );
    const own = await listen(app);
    const reply = await httpCall(`${own.url}?${BRANCH_QUERY}`, '{"amount":4}');
    await own.close();
    expect(reply.body).toBe('{"doubled":8}');
    expect(reply.headers["x-ip"]).toContain("127.0.0.1");
  });
});

describe("Express, a handler that answers by itself", () => {
  type Handler = (payload: unknown, request: express.Request, response: express.Response) => unknown;

  /** The answer, and what `onError` was told, with the gid of its call. */
  async function answered(handler: Handler): Promise<{ reply: Reply | Error; errors: string[] }> {
    const errors: string[] = [];
    const onError = (error: unknown, call: BranchCall | null): void => void errors.push(`${call?.gid} ${error}`);
    const own = await listen(express().all("/service/branch", branchHandler(null, handler, { onError })));
    const reply = await httpCall(`${own.url}?${BRANCH_QUERY}`, "{}").catch((cause: Error) => cause);
    await own.close();
    return { reply, errors };
  }
  const early = expect.stringMatching(/^g-1 .*before its handler had ended/);
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

  const ENDINGS: readonly (readonly [string, Handler])[] = [
    ["json", (_payload, _request, response) => response.json({ accepted: true })],
    ["send", (_payload, _request, response) => response.status(201).send('{"accepted":true}')],
    ["end", (_payload, _request, response) => response.setHeader("content-length", 17).end('{"accepted":true}')],
    ["sendStatus", (_payload, _request, response) => response.sendStatus(200)],
    ["redirect", (_payload, _request, response) => response.redirect("/elsewhere")],
  ];

  test.each(ENDINGS)("%s: a refusal that comes after it is answered, at once or later", async (_, end) => {
    for (const wait of [async () => undefined, pause]) {
      const { reply, errors } = await answered(async (...given) => {
        end(...given);
        await wait();
        throw new Failure("no money");
      });
      expect(reply).toMatchObject({ status: 409, body: '{"dtm_result":"FAILURE","message":"no money"}' });
      expect(errors).toEqual([early]);
    }
  });

  test.each(ENDINGS)("%s: an error that comes after it is a 500, and told", async (_, end) => {
    const { reply, errors } = await answered((...given) => {
      end(...given);
      throw new Error("database down");
    });
    expect(reply).toMatchObject({ status: 500 });
    expect(errors).toEqual(["g-1 Error: database down", early]);
  });

  test("what it sent goes out when it ends well, the first time only", async () => {
    const { reply, errors } = await answered(async (_payload, _request, response) => {
      response.status(202).json({ accepted: true });
      await pause();
      return response.json({ accepted: false });
    });
    expect(reply).toMatchObject({ status: 202, body: '{"accepted":true}' });
    expect(errors).toEqual([early]);
  });

  test("a result that can't be sent is an error, as it would be at once", async () => {
    const { reply, errors } = await answered((_payload, _request, response) => void response.json({ big: 1n }));
    expect(reply).toMatchObject({ status: 500 });
    expect(errors).toEqual([early, expect.stringContaining("BigInt")]);
  });

  test("whoever waits until his answer is out gets on", async () => {
    const waits: Handler[] = [
      (_payload, _request, response) => new Promise<void>((resolve) => void response.end("{}", resolve)),
      async (_payload, _request, response) => {
        response.json({});
        await finished(response);
      },
      (_payload, _request, response) => pipeline(Readable.from(["{", "}"]), response),
    ];
    for (const wait of waits) {
      expect(await answered(wait)).toMatchObject({ reply: { status: 200, body: "{}" }, errors: [early] });
    }
  });

  test("a Failure that comes when all is out is told, though it can't be answered", async () => {
    const { reply, errors } = await answered(async (_payload, _request, response) => {
      await pipeline(Readable.from(["{", "}"]), response);
      throw new Failure("no money");
    });
    expect(reply).toMatchObject({ status: 200 });
    expect(errors).toEqual([expect.stringMatching(/^g-1 .*no money/)]);
  });

  test.each<[string, Handler]>([
    ["half of it", (_payload, _request, response) => response.writeHead(200, { "content-length": 10 }).write("half")],
    [
      "all but its end",
      (_payload, _request, response) => {
        response.write("{");
        response.end("}");
      },
    ],
  ])("where %s was written before the failure, the connection breaks", async (_, write) => {
    const { reply, errors } = await answered(async (...given) => {
      write(...given);
      await pause();
      throw new Error("then it failed");
    });
    expect(reply).toMatchObject({ code: "ECONNRESET" });
    expect(errors).toEqual(["g-1 Error: then it failed", early]);
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
])("Express, %s is refused when it is made", (_, handler, options) => {
  expect(() => Reflect.apply(branchHandler, undefined, [null, handler, options])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});
