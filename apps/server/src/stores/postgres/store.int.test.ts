import { openTemporaryPostgres, POSTGRES } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { storeContract } from "../contract/contract.js";

withServer(POSTGRES, () => storeContract("postgres", openTemporaryPostgres));
