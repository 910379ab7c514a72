import { aBranch, aView, DEFERRED, FAILURE, ONGOING, SUCCESS, show, UNKNOWN } from "../../test/kit/views.js";
import { type Answer, CALLBACK } from "./step.js";
import { workflow } from "./workflow.js";

const CALLED_BACK = { transaction: { queryPrepared: "/workflow" } };

describe("workflow", () => {
  test("is called back whatever its age: the claim's due time is the only clock (4.8)", () => {
    expect(show(workflow(aView({ type: "workflow", status: "prepared", ...CALLED_BACK })))).toBe(`call ${CALLBACK}`);
  });

  test("waits for the callback", () => {
    expect(show(workflow(aView({ type: "workflow", status: "prepared", ...CALLED_BACK, inFlight: [CALLBACK] })))).toBe("await");
  });

  // The application submits the end itself: even a success of the callback only means that it was called.
  test.each<[string, Answer, string]>([
    ["success", SUCCESS, "rest backOff"],
    ["failure", FAILURE, "rest backOff"],
    ["ongoing", ONGOING, "rest keep"],
    ["an error", UNKNOWN, "rest backOff"],
    ["a deferral", DEFERRED, "rest defer until 30s"],
  ])("the callback came to %s", (_name, answer, step) => {
    expect(show(workflow(aView({ type: "workflow", status: "prepared", ...CALLED_BACK, answers: { [CALLBACK]: answer } })))).toBe(
      step,
    );
  });

  test("without a callback it is looked at ever more rarely, and is stuck after TimeoutToFail (R16)", () => {
    expect(show(workflow(aView({ type: "workflow", status: "prepared", age: 34.999 })))).toBe("rest backOff");
    expect(show(workflow(aView({ type: "workflow", status: "prepared", age: 35 })))).toBe("rest backOff stuck");
  });

  test.each(["submitted", "aborting"] as const)("%s is no state of a workflow: nothing is decided for it", (status) => {
    expect(show(workflow(aView({ type: "workflow", status, ...CALLED_BACK })))).toBe("rest backOff");
  });

  test.each(["succeed", "failed"] as const)("%s: done", (status) => {
    const branches = [aBranch("01", "action", "succeed")];
    expect(show(workflow(aView({ type: "workflow", status, ...CALLED_BACK, branches })))).toBe("done");
  });
});
