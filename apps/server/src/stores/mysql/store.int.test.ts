import { MYSQL, openTemporaryMysql } from "../../../test/kit/temporary-mysql.js";
import { withServer } from "../../../test/kit/with-server.js";
import { storeContract } from "../contract/contract.js";

withServer(MYSQL, () => storeContract("mysql", openTemporaryMysql));
