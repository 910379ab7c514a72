import { MYSQL, openTemporaryMysql } from "../kit/temporary-mysql.js";
import { withServer } from "../kit/with-server.js";
import { differential } from "./differential.js";

withServer(MYSQL, () => {
  differential("mysql, one lane", () => openTemporaryMysql({ lanes: 1 }), { ordered: true, worlds: 4 });
  // What two lanes are asked at once happens in either order, so one at a time.
  differential("mysql, in another zone", () => openTemporaryMysql({ zoneHours: 8 }), { ordered: false, worlds: 1 });
});
