/** Two transfers from a bank on MySQL to one on PostgreSQL: one that is committed in both, one that is rolled back in both. */
import { barrier as mysqlBarrier } from "@dtm/barrier/mysql2";
import { barrier as postgresBarrier } from "@dtm/barrier/pg";
import { Failure } from "@dtm/client";
import { databaseUrl, story } from "@dtm/example-kit";
import express from "express";
import mysql, { type RowDataPacket } from "mysql2/promise";
import pg from "pg";
import { bookingAt, serveMysqlBank, servePostgresBank } from "./banks.js";

const TABLE = "create table xa_transfer_account (id varchar(32) primary key, balance integer not null)";

await story(
  { title: "XA between MySQL and PostgreSQL", needs: ["DTM_TEST_MYSQL", "DTM_TEST_POSTGRES"] },
  async ({ client, say, serve, atEnd }) => {
    const mysqlPool = mysql.createPool(databaseUrl("DTM_TEST_MYSQL"));
    const postgresPool = new pg.Pool({ connectionString: databaseUrl("DTM_TEST_POSTGRES") });
    atEnd(() => mysqlPool.end());
    atEnd(() => postgresPool.end());
    await mysqlBarrier.createTable(mysqlPool);
    await postgresBarrier.createTable(postgresPool);
    for (const run of [(sql: string) => mysqlPool.query(sql), (sql: string) => postgresPool.query(sql)]) {
      await run("drop table if exists xa_transfer_account");
      await run(TABLE);
    }
    await mysqlPool.query("insert into xa_transfer_account values ('Ann', 100)");
    await postgresPool.query("insert into xa_transfer_account values ('Ben', 50)");

    const [north, south] = [express(), express()];
    const [fromNorth, fromSouth] = [bookingAt(await serve(north)), bookingAt(await serve(south))];
    serveMysqlBank(north, mysqlPool, fromNorth, client);
    servePostgresBank(south, postgresPool, fromSouth, client);

    async function transfer(to: string): Promise<void> {
      const gid = await client.newGid();
      try {
        await client.xa({ gid }, async (xa) => {
          await xa.branch({ url: fromNorth, payload: { account: "Ann", amount: -30 } });
          await xa.branch({ url: fromSouth, payload: { account: to, amount: 30 } });
        });
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
      }
      say(`Ann sends 30 to ${to}: ${(await client.waitFor(gid)).status}`);
      await sayBalances();
    }

    async function sayBalances(): Promise<void> {
      const sql = "select balance from xa_transfer_account";
      const [[ann]] = await mysqlPool.query<(RowDataPacket & { balance: number })[]>(sql);
      const { rows } = await postgresPool.query<{ balance: number }>(sql);
      say(`  Ann on MySQL ${ann?.balance}, Ben on PostgreSQL ${rows[0]?.balance}`);
    }

    await sayBalances();
    await transfer("Ben");
    await transfer("nobody");
  },
);
