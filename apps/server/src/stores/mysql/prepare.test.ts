import { DatabaseUnusable } from "../relational/errors.js";
import { checkPacket } from "./prepare.js";

const AT = { host: "db", port: 3306 };
const LEAST = 4_194_304;

test("a server that takes too little at once stops the start, and the line names its variable", () => {
  expect(() => checkPacket(LEAST - 1, AT)).toThrow(DatabaseUnusable);
  expect(() => checkPacket(LEAST - 1, AT)).toThrow(
    "the server at db:3306 takes 4194303 bytes at once: set its max_allowed_packet to 4194304 or more",
  );
  expect(() => checkPacket(LEAST, AT)).not.toThrow();
});
