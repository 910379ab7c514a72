import { branch, Failure } from "@dtm/protocol";
import { branchHandler } from "../../src/grpc.js";
import { grpcCall, type Message, startServer } from "./grpc-call.js";
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
