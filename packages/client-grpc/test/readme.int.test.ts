import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";
import { startOurs } from "./kit/servers.js";

test("the README's example prints what it says", async () => {
  const coordinator = await startOurs();
  const env = { DTM_GRPC_SERVER: coordinator.grpc, DTM_SERVER: coordinator.http, BANK_PORT: "0" };
  expect(await runReadme(join(__dirname, ".."), env)).toBe("debit 30\nended: succeed\n");
});
