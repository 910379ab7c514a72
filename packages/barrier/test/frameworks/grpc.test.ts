import { branch, Failure } from "@dtm/protocol";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { branchHandler } from "../../src/grpc.js";
import { BUSI, grpcCall, type Message, startServer } from "./grpc-call.js";
import { grpcContract } from "./grpc-contract.js";

grpcContract("grpc-js", (handle, options) => startServer(branchHandler(null, handle, options)));

test("the payload has the address's type, and the parser decides", async () => {
  const debit = branch<{ readonly amount: number }>("bank:1/busi.Busi/debit");
  const server = await startServer(
    branchHandler(
      debit,
      // @ts-expect-error: the payload has no such field.
      async (payload) => ({ amount: payload.amount * 2, text: payload.text }),
      {
        parse(message) {
          const amount: unknown = Reflect.get(Object(message), "amount");
          if (typeof amount !== "number") throw new Failure("no amount");
          return { amount };
        },
      },
    ),
  );
  const message: Message = { amount: 3 };
  expect(await grpcCall(server.address, message)).toMatchObject({ code: 0, message: { amount: 6 } });
  expect(await grpcCall(server.address, {})).toMatchObject({ code: 10, details: "no amount" });
  server.close();
});

/** As the code of grpc-tools has it: a message is of its class, or isn't serialised. */
class Reply {
  text = "";
  amount = 0;
}
const METHOD = {
  ...BUSI.debit,
  responseSerialize(reply: Message): Buffer {
    if (!(reply instanceof Reply)) throw new Error("Expected argument of type busi.Reply");
    return reply.text === "" && reply.amount === 0 ? Buffer.alloc(0) : BUSI.debit.responseSerialize(reply);
  },
  responseDeserialize: (bytes: Buffer): Message =>
    Object.assign(new Reply(), bytes.length === 0 ? {} : JSON.parse(bytes.toString())),
};

describe("with the method of a generated definition", () => {
  const warnings: string[] = [];
  const options = { method: METHOD, onWarning: (message: string) => warnings.push(message) };
  beforeEach(() => {
    warnings.length = 0;
  });

  async function answered(handler: handleUnaryCall<Message, Message>) {
    const server = await startServer(handler, METHOD);
    try {
      return await grpcCall(server.address, {}, undefined, METHOD);
    } finally {
      server.close();
    }
  }

  test("nothing becomes its empty message", async () => {
    expect(await answered(branchHandler(null, () => undefined, options))).toEqual({ code: 0, details: "", message: new Reply() });
    expect(warnings).toEqual([]);
  });

  test("a reply of it is sent", async () => {
    const handler = branchHandler(null, () => Object.assign(new Reply(), { amount: 3 }), options);
    expect(await answered(handler)).toMatchObject({ code: 0, message: { amount: 3 } });
    expect(warnings).toEqual([]);
  });

  test("a reply that can't be serialised is replaced by its empty message, and onWarning is told", async () => {
    const handler = branchHandler(null, (): Message => ({ amount: 3 }), options);
    expect(await answered(handler)).toMatchObject({ code: 0, message: new Reply() });
    expect(warnings).toEqual([
      "the reply of branch 01 (action) of g-1 was replaced by the empty message: Expected argument of type busi.Reply",
    ]);
  });

  test("a reply of another type is refused by the compiler", () => {
    // @ts-expect-error: the method's reply has no such field.
    branchHandler(null, () => ({ total: "3" }), { method: METHOD });
  });
});
