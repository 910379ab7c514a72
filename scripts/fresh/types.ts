// Compiled in the fresh project as an ES module, as CommonJS, and with the resolution of old TypeScript settings.
import { BranchCall, currentBranch, type SyncSqlBarrier } from "@dtm/barrier";
import { branchHandler } from "@dtm/barrier/express";
import { barrier, type SqliteDatabaseLike } from "@dtm/barrier/libsql";
import { barrier as postgres } from "@dtm/barrier/pg";
import { branch, DtmError, type ErrorCode, Failure, GrpcClient, HttpClient, noCompensation } from "@dtm/client";
import { Workflows } from "@dtm/client/workflow";
import { faultMatrix, startCoordinator, type TestCoordinator } from "@dtm/testing";
import express from "express";
import Database from "libsql";

interface Debit {
  readonly amount: number;
}

const debit = branch<Debit>("http://bank/debit");
const db = new Database(":memory:");
const sqlite: SyncSqlBarrier<SqliteDatabaseLike> = barrier;

export const app = express();
app.post(
  "/debit",
  branchHandler(debit, ({ amount }) => {
    const exact: number = amount;
    if (exact > 100) throw new Failure("not enough money");
    sqlite.run(db, () => db.prepare("update account set balance = balance - ?").run(exact));
  }),
);

export async function main(server: string): Promise<ErrorCode | null> {
  const client = new HttpClient({ server });
  const saga = client.saga().step({ action: debit, compensate: noCompensation(), payload: { amount: 30 } });
  // @ts-expect-error: a wrong payload doesn't compile
  client.saga().step({ action: debit, compensate: noCompensation(), payload: { amount: "30" } });
  // @ts-expect-error: a step has a compensation or says that it needs none
  client.saga().step({ action: debit, payload: { amount: 30 } });
  try {
    const { gid } = await saga.submit({ waitResult: true });
    const status: string | undefined = (await client.query(gid))?.status;
    console.log(status, currentBranch(), BranchCall.name, postgres, GrpcClient.name, Workflows.name, faultMatrix.name);
    return null;
  } catch (cause) {
    if (cause instanceof DtmError) return cause.code;
    throw cause;
  } finally {
    client.close();
  }
}

export async function inProcess(): Promise<TestCoordinator> {
  const dtm = await startCoordinator();
  dtm.serve("http://bank", app);
  return dtm;
}
