import { DatabaseUnusable } from "../relational/errors.js";
import { NoAnswer } from "./connection.js";
import { checkPacket, explained } from "./prepare.js";

const AT = { host: "db", port: 3306 };
const LEAST = 4_194_304;

test("a server that takes too little at once stops the start, and the line names its variable", () => {
  expect(() => checkPacket(LEAST - 1, AT)).toThrow(DatabaseUnusable);
  expect(() => checkPacket(LEAST - 1, AT)).toThrow(
    "the server at db:3306 takes 4194303 bytes at once: set its max_allowed_packet to 4194304 or more",
  );
  expect(() => checkPacket(LEAST, AT)).not.toThrow();
});

test("an answer that took too long is no server that isn't there", () => {
  const address = { ...AT, user: "dtm", password: "", database: "dtm", zoneHours: 0 };
  const tls = { mode: "disable", caFile: "", certFile: "", keyFile: "" } as const;
  expect(explained(new NoAnswer("the database gave no answer for 15 s"), { ...address, tls })).toEqual(
    new DatabaseUnusable(
      "the server at db:3306, database dtm: the database gave no answer for 15 s; look what it waits for or works on (SHOW FULL PROCESSLIST), then start again",
    ),
  );
});
