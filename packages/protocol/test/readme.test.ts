import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";

test("the README's example prints what it says", async () => {
  expect(await runReadme(join(__dirname, ".."))).toBe("failure\nfailure\nunknown\ntrue FAILURE\n");
});
