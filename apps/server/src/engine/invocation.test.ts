import { aTransaction } from "../../test/kit/views.js";
import { callbackInvocation, requestTimeoutMs } from "./invocation.js";
import { readPlan } from "./plan.js";
import { DEFAULT_TYPE_SETTINGS } from "./settings.js";
import { NO_OPTIONS } from "./transaction.js";

const INPUT = Buffer.from("input");
/** Tag, length, bytes (protocol.md 2.3). */
const AS_MESSAGE = Buffer.concat([Buffer.from([0x0a, INPUT.length]), INPUT]);

test.each([
  ["http", "host/x", INPUT],
  ["grpc", "http://host/x", INPUT],
  ["grpc", "host:1/a.B/C", AS_MESSAGE],
  ["json-rpc", "host:1/a.B/C", AS_MESSAGE],
  ["soap", "host:1/a.B/C", AS_MESSAGE],
  ["soap", "https://host/x", INPUT],
])("a workflow of protocol %s is recalled at %s with what that transport carries (protocol.md 3.5)", (protocol, url, sent) => {
  const plan = readPlan("workflow", JSON.stringify({ name: "story", data: INPUT.toString("base64") }));
  const transaction = aTransaction("workflow", "prepared", { protocol, queryPrepared: url });
  const { op, payload } = callbackInvocation(transaction, plan, DEFAULT_TYPE_SETTINGS);
  expect(op).toBe("story");
  expect(Buffer.from(payload)).toEqual(sent);
});

test.each([
  [0, 3_000],
  [-1, 3_000],
  [7, 7_000],
])("a branch call of a transaction with request_timeout %p may take %p ms: dtm accepted negative ones", (requestTimeout, ms) => {
  const transaction = aTransaction("saga", "submitted", { options: { ...NO_OPTIONS, requestTimeout } });
  expect(requestTimeoutMs(transaction, DEFAULT_TYPE_SETTINGS)).toBe(ms);
});
