import { openTemporaryRedis, REDIS, REDIS_CLUSTER } from "../kit/temporary-redis.js";
import { withServer } from "../kit/with-server.js";
import { differential } from "./differential.js";

// Shards know of each other only what a look at all of them tells, so what is asked for at once happens in any order.
withServer(REDIS, () => differential("redis", () => openTemporaryRedis(REDIS), { ordered: false, worlds: 5 }));
withServer(REDIS_CLUSTER, () =>
  differential("redis cluster", () => openTemporaryRedis(REDIS_CLUSTER), { ordered: false, worlds: 5 }),
);
