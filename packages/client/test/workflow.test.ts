/** Workflows and their corners, on the real coordinator in process and in virtual time. */
import type { RequestListener } from "node:http";
import { coordinatorOf } from "@dtm/client-core/internal";
import { startCoordinator, type TestCoordinator } from "../../testing/src/index.js";
import { Workflows, workflowListener } from "../src/index.js";

let dtm: TestCoordinator;
let workflows: Workflows;
/** `<op> <path>` of every branch call. */
let calls: string[];
/** What a path of the shop answers; 200 unless said otherwise. */
let answers: Record<string, (call: number) => { readonly status: number; readonly body?: string }>;
/** What left a workflow open when the coordinator asked for it. */
let errors: unknown[];

beforeEach(async () => {
  calls = [];
  answers = {};
  errors = [];
  dtm = await startCoordinator();
  workflows = new Workflows(dtm.client, { callback: "http://app/workflows" });
  dtm.serve("http://app", workflowListener(workflows, { onError: (error) => void errors.push(error) }));
  dtm.serve("http://shop", shop);
});
afterEach(() => dtm.stop());

const shop: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://shop");
  const path = pathname.slice(1);
  calls.push(`${searchParams.get("op")} ${path}`);
  const { status, body = "{}" } = answers[path]?.(calls.filter((call) => call.endsWith(` ${path}`)).length) ?? { status: 200 };
  response.writeHead(status).end(body);
};
const refused = { status: 409, body: "no stock" };
const step = (path: string) => ({ action: `http://shop/${path}`, compensate: `http://shop/${path}-undo`, payload: {} });
const seat = { try: "http://shop/try", confirm: "http://shop/confirm", cancel: "http://shop/cancel", payload: {} };
let gids = 0;
const newGid = (): string => `workflow-test-${++gids}`;

describe("phase 2", () => {
  test("a confirm that refuses once is asked again, and the workflow ends", async () => {
    answers["confirm"] = (call) => (call === 1 ? refused : { status: 200 });
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
      return "done";
    });
    const gid = newGid();
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    expect((await dtm.client.query(gid))?.status).toBe("prepared");
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action try", "commit confirm", "commit confirm"]);
    expect(await order.execute(undefined, { gid })).toBe("done");
  });

  test("a refusal that another client has stored for a phase 2 isn't its end", async () => {
    const gid = newGid();
    const order = workflows.define("order", async (wf) => {
      await wf.tcc(seat);
    });
    answers["confirm"] = () => ({ status: 500 });
    await expect(order.execute(undefined, { gid })).rejects.toMatchObject({ code: "BRANCH_UNKNOWN" });
    const registration = { gid, transType: "workflow" as const, branchId: "01", payload: "no" };
    await coordinatorOf(dtm.client).registerBranch({ ...registration, data: { op: "commit", status: "failed" } }, {});
    answers["confirm"] = () => ({ status: 200 });
    expect(await dtm.ended(gid)).toBe("succeed");
    expect(calls).toEqual(["action try", "commit confirm", "commit confirm"]);
  });
});
