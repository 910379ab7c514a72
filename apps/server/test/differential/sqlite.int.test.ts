import { openTemporary } from "../kit/temporary-sqlite.js";
import { differential } from "./differential.js";

differential("sqlite", openTemporary, { ordered: true });
