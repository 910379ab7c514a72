import { openTemporaryPostgres, PGBOUNCER, POSTGRES } from "../../../test/kit/temporary-postgres.js";
import { withServer } from "../../../test/kit/with-server.js";
import { storeContract } from "../contract/contract.js";

withServer(POSTGRES, () => storeContract("postgres", openTemporaryPostgres));

// Each transaction may have another connection, and prepared statements are somebody else's.
withServer(PGBOUNCER, () => storeContract("postgres behind PgBouncer", () => openTemporaryPostgres(PGBOUNCER.address)));
