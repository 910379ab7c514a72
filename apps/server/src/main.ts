#!/usr/bin/env node
import { goFlags } from "./cli/go-flags.js";
/** The process's entry; everything else is in cli/. */
import { program } from "./cli/program.js";

// Lookups of names get half of libuv's threads, and one that nobody answers keeps its own for ten seconds. Node 20 has made them by now, its workers haven't.
process.env["UV_THREADPOOL_SIZE"] ??= "16";
await program().parseAsync(goFlags(process.argv.slice(2)), { from: "user" });
