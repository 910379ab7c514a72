#!/usr/bin/env node
import { goFlags } from "./cli/go-flags.js";
/** The process's entry; everything else is in cli/. */
import { program } from "./cli/program.js";

await program().parseAsync(goFlags(process.argv.slice(2)), { from: "user" });
