import Libsql from "libsql";
import { barrier } from "./libsql.js";
import { barrierTableSql, createBarrierTable } from "./schema.js";

const DIALECTS = ["postgres", "mysql", "sqlite"] as const;

describe("the barrier's table", () => {
  test("is dtm's own by default, and has dtm's columns", () => {
    const columns = ["trans_type", "gid", "branch_id", "op", "barrier_id", "reason", "create_time", "update_time"];
    for (const dialect of DIALECTS) {
      const text = barrierTableSql({ dialect }).join(";\n");
      expect(text).toContain(`create table if not exists ${dialect === "sqlite" ? "barrier" : "dtm_barrier.barrier"} (`);
      for (const column of columns) expect(text).toContain(`\n  ${column} `);
      expect(text).toContain("(gid, branch_id, op, barrier_id)");
    }
    expect(barrierTableSql({ dialect: "postgres" }).join()).toContain("constraint uniq_barrier unique");
  });

  test("a name that isn't plain never reaches a statement", () => {
    for (const table of ["", ".", "a.", "a.b.c", "a;b", 'a"b', "a b", "a--", "1a", "ü", "a`"]) {
      for (const dialect of DIALECTS) {
        expect(() => barrierTableSql({ dialect, table })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
      }
    }
  });

  test("is created through any way to execute a statement, and again", async () => {
    const db = new Libsql(":memory:");
    for (let round = 0; round < 2; round++) {
      await createBarrierTable((sql) => void db.exec(sql), { dialect: "sqlite", table: "mine" });
    }
    db.transaction(() => {
      const branch = { gid: "g", transType: "saga", branchId: "01", op: "action" };
      expect(barrier.run(db, () => 7, { branch, table: "mine" })).toEqual({ ran: true, value: 7 });
    })();
    db.close();
  });

  test("an error that has another reason than two creators at once is thrown on, and soon", async () => {
    const denied = Object.assign(new Error("permission denied"), { code: "42501" });
    let calls = 0;
    const execute = (): never => {
      calls++;
      throw denied;
    };
    await expect(createBarrierTable(execute, { dialect: "mysql" })).rejects.toBe(denied);
    expect(calls).toBe(2);
    await expect(createBarrierTable(execute, { dialect: "postgres" })).rejects.toBe(denied);
    expect(calls).toBe(3);
    const racing = Object.assign(new Error("duplicate key"), { code: "23505" });
    const always = (): never => {
      calls++;
      throw racing;
    };
    await expect(createBarrierTable(always, { dialect: "postgres" })).rejects.toBe(racing);
    expect(calls).toBe(8);
  });

  test("the schema is created only when it is missing: who may use one often may not create one", async () => {
    const statements: string[] = [];
    let missing = true;
    const execute = (sql: string): void => {
      statements.push(sql.split(" ").slice(0, 2).join(" "));
      if (sql.startsWith("create database")) missing = false;
      else if (missing) throw Object.assign(new Error("Unknown database"), { code: "ER_BAD_DB_ERROR" });
    };
    await createBarrierTable(execute, { dialect: "mysql" });
    expect(statements).toEqual(["select 1", "create table", "create database", "create table"]);
    statements.length = 0;
    await createBarrierTable(execute, { dialect: "mysql" });
    // It is there now, so nothing is created.
    expect(statements).toEqual(["select 1"]);
  });
});
