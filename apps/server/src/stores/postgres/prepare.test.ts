import { DatabaseUnusable } from "../relational/errors.js";
import { NoAnswer } from "./connection.js";
import { explained } from "./prepare.js";

test("an answer that took too long is no server that isn't there", () => {
  const address = { host: "db", port: 5432, user: "dtm", password: "", database: "dtm", schema: "public" };
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  expect(explained(new NoAnswer("the database gave no answer for 15 s"), { ...address, tls })).toEqual(
    new DatabaseUnusable(
      "PostgreSQL at db:5432, database dtm, schema public: the database gave no answer for 15 s; look what it waits for or works on (pg_stat_activity), then start again",
    ),
  );
});
