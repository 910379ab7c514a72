import { openTemporaryRedis, REDIS, REDIS_CLUSTER } from "../../../test/kit/temporary-redis.js";
import { withServer } from "../../../test/kit/with-server.js";
import { storeContract } from "../contract/contract.js";

withServer(REDIS, () => storeContract("redis", () => openTemporaryRedis(REDIS)));
withServer(REDIS_CLUSTER, () => storeContract("redis cluster", () => openTemporaryRedis(REDIS_CLUSTER)));
