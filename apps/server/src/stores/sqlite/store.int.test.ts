import { openTemporary } from "../../../test/kit/temporary-sqlite.js";
import { storeContract } from "../contract/contract.js";

storeContract("sqlite", openTemporary);
