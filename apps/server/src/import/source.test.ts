import { silentServer } from "../../test/kit/fake-redis.js";
import { sourceFrom } from "./address.js";
import { DtmRedis } from "./source.js";

test("something that takes connections and never answers is not waited for", async () => {
  const { port, close } = await silentServer();
  const began = performance.now();
  await expect(DtmRedis.connect(sourceFrom(`redis://127.0.0.1:${port}`, ""), "{a}")).rejects.toThrow(
    `no Redis answers at 127.0.0.1:${port}: no answer within 5000 ms; check --from`,
  );
  expect(performance.now() - began).toBeLessThan(10_000);
  await close();
}, 30_000);
