// What both formats run in the fresh project: every entry point loads, errors are recognised across the formats, and a saga commits,
// is refused and is undone, over the packages as they were loaded by the caller.
const assert = require("node:assert/strict");
const process = require("node:process");

/** `loaded` and `other`: name of the entry point to its module, as this format and as the other one loads it. */
module.exports = async function scenario(loaded, other, express, Database) {
  const wanted = process.env.EXPECT_NODE;
  if (wanted !== undefined) assert.equal(process.versions.node.split(".")[0], wanted);
  for (const [name, module] of Object.entries(loaded)) {
    assert.deepEqual(exportsOf(module), exportsOf(other[name]), `${name} has other exports in the other format`);
  }
  errors(loaded["@dtm/client"], other["@dtm/client"]);
  await saga(loaded, loaded["@dtm/client"].Failure, express, Database);
  await saga(loaded, other["@dtm/client"].Failure, express, Database);
};

function exportsOf(module) {
  return Object.keys(module)
    .filter((key) => key !== "default" && key !== "module.exports")
    .sort();
}

function errors(ours, theirs) {
  const refusal = new theirs.Failure("no");
  assert.ok(refusal instanceof ours.DtmError);
  assert.ok(refusal instanceof ours.Failure);
  assert.ok(!(refusal instanceof ours.Ongoing));
  assert.ok(new ours.Ongoing("later") instanceof theirs.DtmError);
  assert.ok(!(new Error("no") instanceof ours.DtmError));
}

async function saga(loaded, Failure, express, Database) {
  const { startCoordinator } = loaded["@dtm/testing"];
  const { branchHandler } = loaded["@dtm/barrier/express"];
  const { barrier } = loaded["@dtm/barrier/libsql"];
  const db = new Database(":memory:");
  barrier.createTable(db);
  db.exec(
    "create table account (id text primary key, balance integer not null); insert into account values ('a', 100), ('b', 0)",
  );
  const add = (id, sign) =>
    branchHandler(null, ({ amount }) => {
      db.transaction(() => {
        barrier.run(db, () => {
          const { balance } = db.prepare("select balance from account where id = ?").get(id);
          if (balance + sign * amount < 0) throw new Failure("not enough money");
          db.prepare("update account set balance = balance + ? where id = ?").run(sign * amount, id);
        });
      }).immediate();
    });
  const app = express();
  app.post("/debit", add("a", -1));
  app.post("/debit-undo", add("a", 1));
  app.post("/credit", add("b", 1));
  app.post("/credit-undo", add("b", -1));
  app.post("/fee", add("a", -1));
  const dtm = await startCoordinator();
  try {
    dtm.serve("http://bank", app);
    const transfer = (amount, fee) =>
      dtm.client
        .saga()
        .step({ action: "http://bank/debit", compensate: "http://bank/debit-undo", payload: { amount } })
        .step({ action: "http://bank/credit", compensate: "http://bank/credit-undo", payload: { amount } })
        .step({ action: "http://bank/fee", compensate: loaded["@dtm/client"].noCompensation(), payload: { amount: fee } })
        .submit();
    assert.equal(await dtm.ended((await transfer(30, 1)).gid), "succeed");
    assert.equal(await dtm.ended((await transfer(60, 100)).gid), "failed");
    const { a, b } = Object.fromEntries(
      db
        .prepare("select id, balance from account")
        .all()
        .map(({ id, balance }) => [id, balance]),
    );
    assert.deepEqual({ a, b }, { a: 69, b: 30 });
  } finally {
    await dtm.stop();
    db.close();
  }
}
