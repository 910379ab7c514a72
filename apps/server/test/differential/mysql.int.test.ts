import { MYSQL, openTemporaryMysql } from "../kit/temporary-mysql.js";
import { withServer } from "../kit/with-server.js";
import { differential } from "./differential.js";

withServer(MYSQL, () => {
  differential("mysql", openTemporaryMysql, { ordered: true, worlds: 4 });
  differential("mysql, in another zone", () => openTemporaryMysql({ zoneHours: 8 }), { ordered: true, worlds: 1 });
});
