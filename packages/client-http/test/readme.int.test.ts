import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";
import { startOurs } from "../../client-grpc/test/kit/servers.js";

test("the README's example prints what it says", async () => {
  const coordinator = await startOurs();
  const printed = await runReadme(join(__dirname, ".."), { DTM_SERVER: coordinator.http, BANK_PORT: "0" });
  expect(printed).toBe("called: /debit\ncalled: /credit\nended: succeed\n");
});
