import { join } from "node:path";
import { runReadme } from "./kit/readme.js";

test("the README's example prints what it says", async () => {
  expect(await runReadme(join(__dirname, ".."))).toBe("22\ntopic://orders\nobject\n");
});
