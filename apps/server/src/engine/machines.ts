import { msg } from "./msg.js";
import { saga } from "./saga.js";
import type { Step, View } from "./step.js";
import { tcc } from "./tcc.js";
import type { TransactionType } from "./transaction.js";
import { workflow } from "./workflow.js";
import { xa } from "./xa.js";

export const machines: Readonly<Record<TransactionType, (view: View) => Step>> = { saga, tcc, xa, msg, workflow };
