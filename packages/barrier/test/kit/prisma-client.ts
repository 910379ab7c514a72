/** Prisma clients for the matrix, generated on first use into the package's cache: a client is bound to one kind of database. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { PrismaTransactionLike } from "../../src/prisma.js";

export interface PrismaClient extends PrismaTransactionLike {
  $transaction<T>(work: (tx: PrismaTransactionLike) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

type Provider = "postgresql" | "mysql" | "sqlite";

interface Generated {
  readonly PrismaClient: new (options: object) => PrismaClient;
}

const PACKAGE = join(__dirname, "../..");

/** Generation starts a process, which takes a while: done once per version of Prisma. */
export async function prismaClient(provider: Provider): Promise<Generated["PrismaClient"]> {
  const { resolve } = createRequire(__filename);
  const manifest = resolve("prisma/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const home = join(PACKAGE, ".cache/prisma", `${provider}-${version}`);
  if (!existsSync(home)) await generate(provider, { home, cli: join(dirname(manifest), "build/index.js") });
  const { PrismaClient } = (await import(join(home, "client.ts"))) as Generated;
  return PrismaClient;
}

async function generate(provider: Provider, { home, cli }: { home: string; cli: string }): Promise<void> {
  const work = `${home}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const schema = join(work, "schema.prisma");
  writeFileSync(
    schema,
    `generator client {
  provider               = "prisma-client"
  output                 = "./client"
  runtime                = "nodejs"
  moduleFormat           = "cjs"
  generatedFileExtension = "ts"
  importFileExtension    = "js"
}
datasource db {
  provider = "${provider}"
}
model Effect {
  id String @id
}
`,
  );
  // Without the variable it would fetch an engine that generating doesn't need.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true" };
  await promisify(execFile)(process.execPath, [cli, "generate", "--schema", schema], { cwd: PACKAGE, env });
  if (!existsSync(home)) renameSync(join(work, "client"), home);
  rmSync(work, { recursive: true, force: true });
}
