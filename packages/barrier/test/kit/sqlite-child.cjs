// One connection to the SQLite file named on the command line; each message is a statement, its reply the rows or the error.
const Libsql = require("libsql");

const db = new Libsql(process.argv[2], { timeout: 10_000 });

process.on("message", ({ sql }) => {
  try {
    const answers = /^\s*(select|pragma)\b/i.test(sql);
    if (!answers) db.exec(sql);
    process.send({ rows: answers ? db.prepare(sql).all() : [] });
  } catch (cause) {
    process.send({ error: String(cause) });
  }
});
process.on("disconnect", () => process.exit());
