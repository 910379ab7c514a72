/** A barrier inside the work of an XA branch would find the branch's own row there, and skip: it says so instead. */
import { randomBytes } from "node:crypto";
import mysql from "mysql2/promise";
import pg from "pg";
import { BranchCall, runInBranch } from "../../src/context.js";
import { barrier as mysqlBarrier } from "../../src/mysql2.js";
import { barrier as pgBarrier } from "../../src/pg.js";
import { createBarrierTable } from "../../src/schema.js";
import { xaBranch, xaMysql2, xaPostgres } from "../../src/xa.js";
import { withServer } from "../kit/with-server.js";
import { SERVERS } from "./beds.js";

const schema = `nested_${randomBytes(4).toString("hex")}`;
const table = `${schema}.barrier`;
const register = () => Promise.reject(new Error("it must not come so far"));
const worked = jest.fn();

/** As the handler of a branch's first call. */
const phase1 = (branch: () => Promise<unknown>) =>
  runInBranch(
    new BranchCall({ gid: "nested-1", branchId: "01", op: "action", transType: "xa", phase2Url: "http://s/xa" }),
    branch,
  );

withServer(SERVERS.pg, () => {
  test("pg", async () => {
    const pool = new pg.Pool({ connectionString: SERVERS.pg.url });
    try {
      await createBarrierTable(async (sql) => void (await pool.query(sql)), { dialect: "postgres", table });
      const branch = phase1(() =>
        xaBranch(xaPostgres(pool, { table }), { register }, (client) => pgBarrier.run(client, worked, { table })),
      );
      await expect(branch).rejects.toMatchObject({ code: "BARRIER_ID_REUSED" });
      expect(worked).not.toHaveBeenCalled();
    } finally {
      await pool.query(`drop schema if exists ${schema} cascade`);
      await pool.end();
    }
  });
});

withServer(SERVERS.mysql2, () => {
  test("mysql2", async () => {
    const pool = mysql.createPool({ uri: SERVERS.mysql2.url });
    try {
      await createBarrierTable(async (sql) => void (await pool.query(sql)), { dialect: "mysql", table });
      const branch = phase1(() =>
        xaBranch(xaMysql2(pool, { table }), { register }, (connection) => mysqlBarrier.run(connection, worked, { table })),
      );
      await expect(branch).rejects.toMatchObject({ code: "BARRIER_ID_REUSED" });
      expect(worked).not.toHaveBeenCalled();
    } finally {
      await pool.query(`drop database if exists ${schema}`);
      await pool.end();
    }
  });
});
