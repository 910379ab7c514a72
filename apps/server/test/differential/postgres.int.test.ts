import { openTemporaryPostgres, POSTGRES } from "../kit/temporary-postgres.js";
import { withServer } from "../kit/with-server.js";
import { differential } from "./differential.js";

withServer(POSTGRES, () => differential("postgres", openTemporaryPostgres, { ordered: true, worlds: 5 }));
