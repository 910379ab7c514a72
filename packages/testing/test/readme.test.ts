import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";

test("the README's example finds what it says", async () => {
  const folder = join(__dirname, "..");
  const printed = await runReadme(folder);
  const told = /^```text\n(.*?)^```$/ms.exec(readFileSync(join(folder, "README.md"), "utf8"))?.[1];
  expect(printed.trimEnd()).toBe(told?.trimEnd());
});
