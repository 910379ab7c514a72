import { tellStory } from "./teller.js";

const story = (...commands: readonly string[]): string => ["# A story", "", ...commands, "----", ""].join("\n");

test.each([
  ["an unknown command", "sagas g1: /a", "'sagas' is no command"],
  ["an unknown option", "saga g1 waits: /a", "'waits' is no option"],
  ["a word too many", "nudge g1 now", "'now' is not understood here"],
  ["a word too few", "until g1", "ends where status is expected"],
  ["an unknown reply", "/a fine", "'fine' is no reply"],
  ["a wrong span", "advance 20", "'20' is no span of time"],
  ["an unknown status", "until g1 done", "'done' is no status"],
  ["an option of another type", "saga g1 delay=5s: /a", "delay= belongs to a msg"],
  ["orders without concurrency", "saga g1: /a /b<-/a", "only a concurrent saga has orders"],
  ["an unknown setting", "set saga.hurry 1", "'saga.hurry' is no setting"],
  ["a node that doesn't run", "on n2 saga g1: /a", "n2 is not running"],
  ["an answer nobody waits for", "answer g1 /a ok", "g1 has no call of /a in flight"],
])("%s is an error that names file and line", async (_name, command, message) => {
  await expect(tellStory("s.txt", story("saga g: /x", command))).rejects.toThrow(`s.txt:4: `);
  await expect(tellStory("s.txt", story("saga g: /x", command))).rejects.toThrow(message);
});

test("a mistake anywhere keeps the whole story from being told", async () => {
  const text = `${story("saga g: /x")}\nsaga g2: /x\n----\n\nno story\n----\n`;
  await expect(tellStory("s.txt", text)).rejects.toThrow("s.txt:9: 'no' is no command");
});

test.each([
  ["without a title", "saga g1: /a\n----\n", "s.txt:1: a story begins with"],
  ["without a transcript", "# A story\n\nsaga g1: /a\n", "s.txt:3: these commands are not followed by ----"],
  ["without a block", "# A story\n", "a story has at least one block"],
])("a file %s is refused", async (_name, text, message) => {
  await expect(tellStory("s.txt", text)).rejects.toThrow(message);
});

test("a told story keeps its commands and comments, and gets the transcript", async () => {
  const told = await tellStory("s.txt", "# A story\n# of two lines\n\n# why\nsaga g1: /a;  show g1\n----\nwrong\n");
  expect(told).toBe(`# A story
# of two lines

# why
saga g1: /a;  show g1
----
g1 created submitted with 2 rows
g1 calls /a: ok
> submit g1: ok
g1 submitted -> succeed, stored 01 action succeed
= g1 succeed [01 compensate prepared] [01 action succeed]
`);
});
