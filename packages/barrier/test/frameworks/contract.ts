/** What every entry point over HTTP promises, whichever framework serves it. */
import { Readable } from "node:stream";
import { Failure, Ongoing, outcomeFromHttp } from "@dtm/protocol";
import { ScriptedClient, ScriptedTransport } from "../../../client-core/test/scripted.js";
import { type BranchCall, currentBranch } from "../../src/context.js";
import type { ServeOptions } from "../../src/serve.js";
import { BRANCH_QUERY, httpCall } from "./http-call.js";

export type Handler = (payload: unknown) => unknown;

export interface Served {
  /** Where the handler is, without a query. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves what `handle` does at the moment of the call. */
export type Serve = (handle: Handler, options: ServeOptions) => Promise<Served>;

export function frameworkContract(name: string, open: Serve): void {
  describe(name, () => {
    let served: Served;
    let handle: Handler = () => undefined;
    let errors: unknown[] = [];
    let warnings: string[] = [];
    const call = (body?: string, query = BRANCH_QUERY) => httpCall(`${served.url}?${query}`, body);

    beforeAll(async () => {
      const options: ServeOptions = {
        onError: (error) => errors.push(error),
        onWarning: (message) => warnings.push(message),
      };
      served = await open((payload) => handle(payload), options);
    });
    beforeEach(() => {
      handle = () => undefined;
      errors = [];
      warnings = [];
    });
    afterAll(() => served.close());

    test("returns: success, with the plain body or the handler's own", async () => {
      expect(await call("{}")).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
      handle = async () => ({ booked: 3 });
      const reply = await call("{}");
      expect(reply).toMatchObject({ status: 200, body: '{"booked":3}' });
      expect(reply.headers["content-type"]).toContain("application/json");
    });

    test("the payload is what was sent; none is undefined, over GET and over POST", async () => {
      const seen: unknown[] = [];
      handle = (payload) => void seen.push(payload);
      for (const body of ['{"amount":30}', undefined, ""]) expect((await call(body)).status).toBe(200);
      expect(seen).toEqual([{ amount: 30 }, undefined, undefined]);
    });

    test("the branch is around the handler, also after it has waited", async () => {
      let seen: BranchCall | null = null;
      handle = async () => {
        await new Promise(setImmediate);
        seen = currentBranch();
      };
      const query =
        "branch_id=01&dtm=http%3A%2F%2Fd%3A1%2Fapi&gid=g%2F1&op=action&phase2_url=http%3A%2F%2Fs%2Fxa%3Fa%3D1&trans_type=xa";
      expect((await call("{}", `x=1&${query}`)).status).toBe(200);
      expect(seen).toMatchObject({
        gid: "g/1",
        branchId: "01",
        op: "action",
        transType: "xa",
        coordinator: "http://d:1/api",
        phase2Url: "http://s/xa?a=1",
      });
    });

    describe("nested branches", () => {
      const parts = { try: "http://seat", confirm: "http://seat", cancel: "http://seat" };
      const query = "branch_id=01&gid=g-1&op=try&trans_type=tcc";
      const transport = new ScriptedTransport({});
      const client = new ScriptedClient(transport);
      let answer: () => void = () => undefined;
      /** Refuses when it is told to. */
      transport.branch = async () => {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return { outcome: { kind: "failure", reason: "sold out" }, body: Buffer.alloc(0) };
      };
      const refuse = async (): Promise<void> => {
        while (!transport.log.includes("branch http://seat")) await new Promise(setImmediate);
        answer();
      };
      beforeEach(() => void transport.log.splice(0));

      test.each<[string, () => unknown]>([
        [
          "not awaited",
          () =>
            void client
              .tccFrom()
              .branch(parts)
              .catch(() => undefined),
        ],
        [
          "swallowed",
          () =>
            client
              .tccFrom()
              .branch(parts)
              .catch(() => undefined),
        ],
        [
          "swallowed, of a parent made by hand",
          () =>
            client
              .tccFrom({ ...currentBranch() })
              .branch(parts)
              .catch(() => undefined),
        ],
      ])("nested, %s: the refusal is the branch's own", async (_, work) => {
        handle = async () => {
          await work();
          return "done";
        };
        const [reply] = await Promise.all([call("{}", query), refuse()]);
        expect(reply.status).toBe(409);
        expect(reply.body).toContain("sold out");
      });

      test("nested, opened after the handler's end, is refused", async () => {
        let late: Promise<unknown> = Promise.resolve();
        handle = () => {
          const call = currentBranch();
          late = new Promise((resolve) => setTimeout(resolve, 50)).then(() => client.tccFrom(call).branch(parts));
          late.catch(() => undefined);
        };
        expect((await call("{}", query)).status).toBe(200);
        await expect(late).rejects.toMatchObject({ code: "TRANSACTION_CONFLICT" });
        expect(transport.log).toEqual([]);
      });
    });

    test("a Failure is a 409 with its text", async () => {
      handle = () => {
        throw new Failure("no money");
      };
      const reply = await call("{}");
      expect(reply).toMatchObject({ status: 409, body: '{"dtm_result":"FAILURE","message":"no money"}' });
      expect(outcomeFromHttp(reply.status, reply.body).kind).toBe("failure");
      expect(errors).toEqual([]);
    });

    test("a Failure whose text says ONGOING is a failure all the same", async () => {
      handle = () => {
        throw new Failure("another order is ONGOING");
      };
      const reply = await call("{}");
      expect(outcomeFromHttp(reply.status, reply.body).kind).toBe("failure");
    });

    test("an Ongoing is a 425, with Retry-After when it says so", async () => {
      handle = () => {
        throw new Ongoing("not yet", { retryAfterSeconds: 6.2 });
      };
      const reply = await call("{}");
      expect(reply).toMatchObject({ status: 425, body: '{"dtm_result":"ONGOING","message":"not yet"}' });
      expect(reply.headers["retry-after"]).toBe("7");
      handle = () => {
        throw new Ongoing();
      };
      expect((await call("{}")).headers["retry-after"]).toBeUndefined();
    });

    test("any other error is a 500 that says nothing of it, and is told to onError once", async () => {
      const error = new Error("FAILURE of table accounts at 10.0.0.7");
      handle = async () => {
        throw error;
      };
      const reply = await call("{}");
      expect(reply.status).toBe(500);
      expect(reply.body).not.toContain("accounts");
      expect(outcomeFromHttp(reply.status, reply.body).kind).toBe("unknown");
      expect(errors).toEqual([error]);
    });

    test("an error of no class is an error", async () => {
      handle = () => Promise.reject("nothing");
      expect((await call("{}")).status).toBe(500);
      expect(errors).toEqual(["nothing"]);
    });

    test.each([
      ["a Failure that is returned", () => new Failure("no")],
      ["the word of older services", () => ({ dtm_result: "FAILURE", message: "no" })],
    ])("%s is no success", async (_, make) => {
      handle = make;
      expect((await call("{}")).status).toBe(409);
    });

    test("an error that is returned is an error", async () => {
      handle = () => new Error("lost");
      expect((await call("{}")).status).toBe(500);
    });

    test.each<[string, () => unknown]>([
      [
        "a generator",
        function* () {
          yield 1;
        },
      ],
      [
        "an asynchronous generator",
        async function* () {
          yield 1;
        },
      ],
      ["a stream", () => Readable.from(["{}"])],
    ])("%s that is returned is an error, since nobody reads it", async (_, make) => {
      handle = () => make();
      expect((await call("{}")).status).toBe(500);
      expect(errors).toEqual([expect.objectContaining({ code: "OPTION_INVALID" })]);
    });

    test.each([
      ["a success, whose body is the result", 201, '{"booked":3}', 200, '{"booked":3}'],
      ["a refusal", 409, "sold out", 409, '{"dtm_result":"FAILURE","message":"sold out"}'],
      ["a refusal in its body", 200, '{"dtm_result":"FAILURE","message":"sold out"}', 409, expect.stringContaining("sold out")],
      ["one that isn't done", 425, "later", 425, '{"dtm_result":"ONGOING","message":"later"}'],
      ["an error", 503, "the host is 10.0.0.7", 503, expect.not.stringContaining("10.0.0.7")],
      ["a redirect", 302, "", 500, expect.anything()],
    ])("a Response of `fetch` that is returned is taken at its word: %s", async (_, status, text, answered, body) => {
      handle = async () => new Response(text, { status });
      expect(await call("{}")).toMatchObject({ status: answered, body });
      const isTold = answered >= 500;
      expect(errors).toEqual(isTold ? [expect.objectContaining({ message: expect.stringContaining(`${status}`) })] : []);
    });

    test("a Response whose body the handler has read is a success without a result", async () => {
      handle = async () => {
        const response = new Response("{}");
        await response.text();
        return response;
      };
      expect(await call("{}")).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
    });

    test.each([
      ["contains FAILURE", { note: "no FAILURE so far" }],
      ["contains ONGOING", ["ONGOING"]],
      ["isn't JSON", { big: 1n }],
    ])("a result that %s is replaced by the plain success", async (_, result) => {
      handle = () => result;
      expect(await call("{}")).toMatchObject({ status: 200, body: '{"dtm_result":"SUCCESS"}' });
      expect(warnings).toHaveLength(1);
    });

    test.each(["gid", "branch_id", "op", "trans_type"])("without %s it is a 400 and nothing runs", async (missing) => {
      let ran = false;
      handle = () => {
        ran = true;
      };
      const query = BRANCH_QUERY.split("&")
        .filter((pair) => !pair.startsWith(`${missing}=`))
        .join("&");
      const reply = await call("{}", query);
      expect(reply.status).toBe(400);
      expect(JSON.parse(reply.body)).toMatchObject({ code: "BRANCH_INVALID" });
      expect(ran).toBe(false);
    });
  });
}
