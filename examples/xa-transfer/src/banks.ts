/** Two banks on different databases. An XA branch stays prepared in its own until the coordinator says commit or rollback. */
import { Failure } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { xaHandler, xaMysql2, xaPostgres } from "@dtm/barrier/xa";
import { type BranchAddress, branch, type HttpClient } from "@dtm/client";
import type { Express } from "express";
import type { Pool as MysqlPool, ResultSetHeader } from "mysql2/promise";
import type { Pool as PostgresPool } from "pg";

export interface Booking {
  readonly account: string;
  /** Negative: taken from the account. */
  readonly amount: number;
}

/** One address for all three calls of a branch. Commit and rollback come without a booking: only the work gets it. */
export const bookingAt = (url: string) => branch<Booking>(`${url}/book`);

export function serveMysqlBank(app: Express, pool: MysqlPool, book: BranchAddress<Booking>, client: HttpClient): void {
  const accounts = xaMysql2(pool);
  app.post(
    "/book",
    branchHandler(
      book,
      xaHandler(accounts, { register: client.registerXaBranch }, async (connection, { account, amount }: Booking) => {
        const sql = "update xa_transfer_account set balance = balance + ? where id = ? and balance + ? >= 0";
        const [{ affectedRows }] = await connection.query<ResultSetHeader>(sql, [amount, account, amount]);
        if (affectedRows === 0) throw new Failure(`${account} has less than ${-amount}, or no account here`);
      }),
    ),
  );
}

export function servePostgresBank(app: Express, pool: PostgresPool, book: BranchAddress<Booking>, client: HttpClient): void {
  const accounts = xaPostgres(pool);
  app.post(
    "/book",
    branchHandler(
      book,
      xaHandler(accounts, { register: client.registerXaBranch }, async (connection, { account, amount }: Booking) => {
        const sql = "update xa_transfer_account set balance = balance + $1 where id = $2 and balance + $1 >= 0";
        const { rowCount } = await connection.query(sql, [amount, account]);
        if (rowCount === 0) throw new Failure(`${account} has less than ${-amount}, or no account here`);
      }),
    ),
  );
}
