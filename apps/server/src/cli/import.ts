/** `dtm import`: brings what dtm left in Redis into the configured store (R28). What it does is in import/. */
import type { Command } from "commander";
import type { LoadedConfig } from "../config/load.js";
import type { ImportFlags } from "../import/command.js";

export function addImport(
  root: Command,
  parts: {
    readonly configFile: (command: Command) => Command;
    readonly load: (flags: { readonly config?: string }) => LoadedConfig;
    readonly orExplain: (work: () => Promise<void>) => Promise<void>;
  },
): void {
  const command = parts
    .configFile(root.command("import").description("bring what dtm left in its Redis into the configured store; stop dtm first"))
    .requiredOption(
      "--from <url>",
      "dtm's Redis, redis://user:password@host:port; rediss: for TLS; the password also in IMPORT_PASSWORD",
    )
    .option("--prefix <text>", "what dtm's keys begin with (default: Store.RedisPrefix)")
    .option("--finished", "take finished transactions too")
    .option("--dry-run", "only look, and say what would be imported");
  command.action(() =>
    parts.orExplain(async () => {
      const flags = command.optsWithGlobals<ImportFlags & { readonly config?: string }>();
      const loaded = parts.load(flags);
      const { importFrom } = await import("../import/command.js");
      if (!(await importFrom(loaded, flags))) process.exitCode = 1;
    }),
  );
}
