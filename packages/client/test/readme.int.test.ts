import { join } from "node:path";
import { runReadme } from "../../client-core/test/kit/readme.js";
import { freePort, startOurs } from "../../client-grpc/test/kit/servers.js";

test("the README's example prints what it says", async () => {
  const coordinator = await startOurs();
  const env = { DTM_SERVER: coordinator.http, SHOP_PORT: String(await freePort()) };
  const printed = await runReadme(join(__dirname, ".."), env);
  expect(printed).toBe("called: /debit\ncalled: /reserve\ncalled: /confirm\nresult: { number: 'order-30' }\n");
});
