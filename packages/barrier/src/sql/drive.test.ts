/** A driver that doesn't say what the barrier must know: a guess would be a false success, so it is an error. */
import { BranchCall } from "../context.js";
import { drive, driveNow, mustBeSync } from "./drive.js";
import { insertRows, queryPrepared } from "./rows.js";
import { type Dialect, type Reply, rowsOf, type Statement } from "./statement.js";
import { tableName } from "./table.js";

const TABLE = tableName("postgres", undefined);
const guard = (op: string) => ({
  branch: new BranchCall({ gid: "g", transType: "saga", branchId: "01", op }),
  id: "01",
  origin: op === "compensate" ? "action" : null,
});

describe("what a driver reports", () => {
  const inserted = (dialect: Dialect, op: string, reply: Reply) =>
    driveNow(insertRows(guard(op), TABLE, { dialect, open: true }), { dialect, open: true, send: () => reply }, TABLE);

  test("the ops of the new rows, or their number", () => {
    expect(inserted("postgres", "compensate", { rows: [{ op: "compensate" }] })).toEqual({ own: true, origin: false });
    expect(inserted("postgres", "compensate", { rows: [{ op: "action" }] })).toEqual({ own: false, origin: true });
    expect(inserted("sqlite", "action", { rows: [] })).toEqual({ own: false, origin: false });
    for (const [affected, found] of [
      [0, { own: false, origin: false }],
      [1, { own: true, origin: false }],
      [2, { own: true, origin: true }],
    ] as const) {
      expect(inserted("mysql", "compensate", { rows: [], affected })).toEqual(found);
    }
  });

  test("anything else is an error", () => {
    expect(() => inserted("mysql", "action", { rows: [] })).toThrow("number of inserted rows, found undefined");
    expect(() => inserted("mysql", "action", { rows: [], affected: 2 })).toThrow("at most one inserted row");
    expect(() => inserted("mysql", "compensate", { rows: [], affected: 3 })).toThrow("found 3");
    expect(() => inserted("postgres", "action", { rows: [{ OP: "action" }] })).toThrow("ops of the inserted rows");
    expect(() => inserted("postgres", "action", {})).toThrow("found an answer of another shape");
    expect([rowsOf(undefined), rowsOf({ records: [] }), rowsOf([["action"], 1])]).toEqual([undefined, undefined, undefined]);
    expect(() => inserted("postgres", "action", { rows: [{ op: "try" }] })).toThrow("ops of the inserted rows");
  });

  test("the message's row must be found, and names what became of it", async () => {
    const ask = (rows: Reply["rows"]) =>
      drive(
        queryPrepared(guard("msg"), TABLE, { dialect: "postgres" }),
        {
          dialect: "postgres",
          open: false,
          send: ({ parts }: Statement) => ({ rows: parts[0]?.startsWith("select") ? rows : [] }),
        },
        TABLE,
      );
    await expect(ask([{ reason: "msg" }])).resolves.toBeUndefined();
    await expect(ask([{ reason: "rollback" }])).rejects.toMatchObject({ code: "FAILURE" });
    await expect(ask([])).rejects.toThrow("found none");
    await expect(ask([{ Reason: "msg" }])).rejects.toThrow("found none");
  });

  test("what was written outside a transaction is taken back before the refusal", () => {
    const sent: string[] = [];
    const send = ({ parts }: Statement): Reply => {
      sent.push(parts[0]?.split(" ")[0] ?? "");
      return { rows: [], affected: 2, open: false };
    };
    const steps = insertRows(guard("compensate"), TABLE, { dialect: "mysql", open: "unasked" });
    expect(() => driveNow(steps, { dialect: "mysql", open: "unasked", send }, TABLE)).toThrow(
      expect.objectContaining({ code: "NOT_A_TRANSACTION" }),
    );
    expect(sent).toEqual(["insert", "delete"]);
  });
});

describe("work of a synchronous driver", () => {
  test("gives its value, or is refused when it gives a promise", async () => {
    expect(mustBeSync(3)).toBe(3);
    expect(mustBeSync(undefined)).toBeUndefined();
    const rejected = Promise.reject(new Error("unheard"));
    expect(() => mustBeSync(rejected)).toThrow(expect.objectContaining({ code: "WORK_IS_ASYNC" }));
    // biome-ignore lint/suspicious/noThenProperty: any thenable counts, a query builder for one
    const lazy = { then: jest.fn() };
    expect(() => mustBeSync(lazy)).toThrow(expect.objectContaining({ code: "WORK_IS_ASYNC" }));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
