import { messageOf, troubleOf } from "./errors.js";

function reply(message: string): Error {
  const error = new Error(message);
  error.name = "ReplyError";
  return error;
}

test.each([
  ["NOSCRIPT No matching script. Please use EVAL.", "script"],
  ["MOVED 3999 127.0.0.1:6381", "elsewhere"],
  ["CLUSTERDOWN The cluster is down", "elsewhere"],
  ["READONLY You can't write against a read only replica. script: abc, on @user_script:1.", "elsewhere"],
  ["ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -READONLY You can't write", "elsewhere"],
  ["ASK 3999 127.0.0.1:6381", "again"],
  ["TRYAGAIN Multiple keys request during rehashing of slot", "again"],
  ["LOADING Redis is loading the dataset in memory", "again"],
  ["NOREPLICAS Not enough good replicas to write.", "again"],
  ["MISCONF Redis is configured to save RDB snapshots", "again"],
  ["OOM command not allowed when used memory > 'maxmemory'.", "refused"],
  ["ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -OOM command not allowed", "refused"],
  ["NOPERM this user has no permissions", "refused"],
  ["SOMETHING new", "refused"],
])("%s", (message, trouble) => {
  expect(troubleOf(reply(message))).toBe(trouble);
});

test("what isn't an answer leaves the outcome unknown", () => {
  expect(troubleOf(new Error("Connection is closed."))).toBe("lost");
  expect(troubleOf(new Error("READONLY in the text of another error"))).toBe("lost");
  expect(troubleOf(null)).toBe("lost");
});

test("messages are one line", () => {
  expect(messageOf(new Error("one\ntwo"))).toBe("one");
});
