/** What every entry point over gRPC promises. */
import { Failure, Ongoing, outcomeFromGrpc } from "@dtm/protocol";
import { ScriptedClient, ScriptedTransport } from "../../../client-core/test/scripted.js";
import { type BranchCall, currentBranch } from "../../src/context.js";
import type { ServeOptions } from "../../src/serve.js";
import { BRANCH_METADATA, grpcCall, type Message } from "./grpc-call.js";

export type GrpcHandler = (message: Message) => Promise<Message | undefined>;

export type ServeGrpc = (
  handle: GrpcHandler,
  options: ServeOptions,
) => Promise<{ readonly address: string; close(): void | Promise<void> }>;

export function grpcContract(name: string, open: ServeGrpc): void {
  describe(name, () => {
    let served: Awaited<ReturnType<ServeGrpc>>;
    let handle: GrpcHandler = async () => undefined;
    let errors: unknown[] = [];
    const call = (message: Message = {}, branch?: Readonly<Record<string, string>>) => grpcCall(served.address, message, branch);

    beforeAll(async () => {
      served = await open((message) => handle(message), { onError: (error) => errors.push(error) });
    });
    beforeEach(() => {
      errors = [];
    });
    afterAll(() => served.close());

    test("returns: success, with its reply or the empty one", async () => {
      handle = async () => undefined;
      expect(await call()).toMatchObject({ code: 0, message: {} });
      handle = async ({ amount = 0 }) => ({ amount: amount * 2 });
      expect(await call({ amount: 2 })).toMatchObject({ code: 0, message: { amount: 4 } });
    });

    test("the branch is around the handler, also after it has waited", async () => {
      const seen: BranchCall[] = [];
      handle = async () => {
        await new Promise(setImmediate);
        seen.push(currentBranch());
        return undefined;
      };
      await call({}, { ...BRANCH_METADATA, trans_type: "xa", dtm: "d:1", phase2_url: "s:2/busi.Busi/debit" });
      expect(seen[0]).toMatchObject({
        gid: "g-1",
        branchId: "01",
        op: "action",
        transType: "xa",
        coordinator: "d:1",
        phase2Url: "s:2/busi.Busi/debit",
      });
      await call();
      // The coordinator itself sends an empty one.
      expect(seen[1]?.coordinator).toBeUndefined();
    });

    test.each(["not awaited", "swallowed"])("nested, %s: the refusal is the branch's own", async (how) => {
      const transport = new ScriptedTransport({});
      transport.branch = async () => ({ outcome: { kind: "failure", reason: "sold out" }, body: Buffer.alloc(0) });
      const client = new ScriptedClient(transport);
      handle = async () => {
        const branch = client.tccFrom().branch({ try: "http://seat", confirm: "http://seat", cancel: "http://seat" });
        const swallowed = branch.catch(() => undefined);
        if (how === "swallowed") await swallowed;
        return undefined;
      };
      const reply = await call({}, { ...BRANCH_METADATA, op: "try", trans_type: "tcc" });
      expect(reply.code).toBe(10);
      expect(reply.details).toContain("sold out");
    });

    test.each(["no money", "ONGOING", "the order is ONGOING"])("a Failure (%s) is ABORTED", async (text) => {
      handle = () => Promise.reject(new Failure(text));
      const reply = await call();
      expect(reply.code).toBe(10);
      expect(outcomeFromGrpc(reply.code, reply.details)).toMatchObject({
        kind: "failure",
        reason: text.replace("ONGOING", "ongoing"),
      });
      expect(errors).toEqual([]);
    });

    test("half of a surrogate pair, which gRPC can't send, is replaced", async () => {
      handle = () => Promise.reject(new Failure("no \ud83d"));
      expect(await call()).toMatchObject({ code: 10, details: "no \ufffd" });
    });

    test("an Ongoing is FAILED_PRECONDITION", async () => {
      handle = () => Promise.reject(new Ongoing("not yet"));
      expect(await call()).toMatchObject({ code: 9, details: "not yet" });
    });

    test("any other error says nothing of itself, and is told to onError once", async () => {
      const error = Object.assign(new Error("table accounts at 10.0.0.7"), { code: 10 });
      handle = () => Promise.reject(error);
      const reply = await call();
      expect(reply.code).toBe(13);
      expect(reply.details).not.toContain("accounts");
      expect(outcomeFromGrpc(reply.code, reply.details).kind).toBe("unknown");
      expect(errors).toEqual([error]);
    });

    test.each(["gid", "branch_id", "op", "trans_type"])("without %s it is INVALID_ARGUMENT and nothing runs", async (missing) => {
      let ran = false;
      handle = async () => {
        ran = true;
        return undefined;
      };
      const rest = Object.fromEntries(Object.entries(BRANCH_METADATA).filter(([key]) => key !== missing));
      expect((await call({}, rest)).code).toBe(3);
      expect(ran).toBe(false);
    });
  });
}
