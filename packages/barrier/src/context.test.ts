import { settle } from "./barrier.js";
import { BranchCall, currentBranch, runInBranch } from "./context.js";
import { runAsBranch } from "./nested.js";

const call = (gid: string): BranchCall => new BranchCall({ gid, transType: "saga", branchId: "01", op: "action" });

describe("the branch call around a handler", () => {
  test("is seen by everything that the handler awaits, and by nobody else", async () => {
    const seen = await Promise.all(
      ["a", "b"].map((gid) =>
        runInBranch(call(gid), async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return currentBranch().gid;
        }),
      ),
    );
    expect(seen).toEqual(["a", "b"]);
    expect(() => currentBranch()).toThrow(expect.objectContaining({ code: "NOT_IN_BRANCH" }));
  });

  test("an inner call hides the outer one for as long as it runs", () => {
    runInBranch(call("outer"), () => {
      expect(runInBranch(call("inner"), () => currentBranch().gid)).toBe("inner");
      expect(currentBranch().gid).toBe("outer");
    });
  });

  test("is nobody's any more when its handler has ended: a driver's callback runs as the call that opened the connection", async () => {
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const { late } = await runAsBranch(call("opener"), async () => {
      const seen = pause(20).then(() => settle().branch.gid);
      seen.catch(() => undefined);
      await pause(5);
      expect(settle().branch.gid).toBe("opener");
      return { late: seen };
    });
    await expect(late).rejects.toMatchObject({ code: "NOT_IN_BRANCH", message: expect.stringContaining("opener") });
  });

  test("is one for all copies of the package", () => {
    jest.resetModules();
    const other = require("./context.js") as typeof import("./context.js");
    expect(other.BranchCall).not.toBe(BranchCall);
    expect(runInBranch(call("shared"), () => other.currentBranch().gid)).toBe("shared");
  });

  test("keeps what came with the call", () => {
    expect(call("a")).not.toHaveProperty("coordinator");
    const xa = new BranchCall({ ...call("a"), coordinator: "http://dtm", phase2Url: "http://me/xa" });
    expect(xa).toMatchObject({ gid: "a", coordinator: "http://dtm", phase2Url: "http://me/xa" });
  });
});
