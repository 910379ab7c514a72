/** Default, then the YAML file, then the environment, then the flags: the last one that says something wins. */
import { readFileSync } from "node:fs";
import { StartError } from "../service.js";
import { checkConfig } from "./check.js";
import { readYaml } from "./file.js";
import type { Config } from "./schema.js";
import { buildConfig, type Leaf } from "./tree.js";

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file of `-c`. */
  readonly file?: string;
  /** By place, as in `LogLevel`. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each value came from, by place. */
  readonly sources: ReadonlyMap<string, string>;
  /** To be said once at start. */
  readonly warnings: readonly string[];
}

interface Given {
  readonly text: string;
  readonly source: string;
}

export function loadConfig(from: ConfigSources): LoadedConfig {
  const file = from.file === undefined ? new Map<string, string>() : readYaml(read(from.file, "-c"), from.file);
  const sources = new Map<string, string>();
  const warnings: string[] = [];
  const config = buildConfig((leaf) => {
    const given = find(leaf, from, file);
    if (given === null || saysNothing(leaf, given)) {
      sources.set(leaf.path, "default");
      return leaf.spec.initial;
    }
    sources.set(leaf.path, given.source);
    if (leaf.spec.unused !== undefined) warnings.push(`${leaf.path} (${given.source}) has no effect: ${leaf.spec.unused}`);
    return parse(leaf, given);
  });
  checkConfig(config);
  return { config, sources, warnings: [...warnings, ...warningsOf(config)] };
}

function find(leaf: Leaf, from: ConfigSources, file: ReadonlyMap<string, string>): Given | null {
  const flag = from.flags?.[leaf.path];
  if (flag !== undefined) return { text: flag, source: "flag" };
  const env = fromEnvironment(leaf, from.env);
  if (env !== null) return env;
  const text = file.get(leaf.path);
  return text === undefined ? null : { text, source: `file ${from.file}` };
}

/** An empty variable counts as unset, as with dtm. A secret may lie in a file, as Docker and Kubernetes mount them. */
function fromEnvironment({ env, spec }: Leaf, variables: ConfigSources["env"]): Given | null {
  const text = variables[env] ?? "";
  const path = spec.secret === true ? (variables[`${env}_FILE`] ?? "") : "";
  if (text !== "" && path !== "") throw new StartError(`${env} and ${env}_FILE are both set: keep one`);
  if (path !== "") return { text: secretIn(path, `${env}_FILE`), source: `environment ${env}_FILE` };
  return text === "" ? null : { text, source: `environment ${env}` };
}

/** A secret that was never written must not turn off what it protects. */
function secretIn(path: string, variable: string): string {
  const text = read(path, variable).replace(/\r?\n$/, "");
  if (text.trim() === "")
    throw new StartError(`${variable} names ${path}, which is empty: write the secret into it, or unset ${variable}`);
  return text;
}

/** An empty text names nothing of a list, as an empty variable doesn't: without any output there would be no log. */
function saysNothing({ spec }: Leaf, given: Given): boolean {
  return Array.isArray(spec.initial) && given.text.trim() === "";
}

function parse({ path, spec }: Leaf, given: Given): unknown {
  const parsed = spec.kind.type.safeParse(given.text);
  if (parsed.success) return parsed.data;
  // dtm takes -1 where it means nothing; nor may what does nothing here keep the server from its start.
  if (spec.unused !== undefined) return spec.initial;
  const found = spec.secret === true ? "something else" : JSON.stringify(given.text);
  throw new StartError(`${path}: expected ${spec.kind.expected}, found ${found} (${given.source})`);
}

function read(path: string, from: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new StartError(`${from} names ${path}, which can't be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function warningsOf(config: Config): string[] {
  const warnings: string[] = [];
  if (config.Store.Driver === "memory") warnings.push("Store.Driver memory keeps nothing: every transaction is lost at a stop");
  if (config.AuthToken !== "" && config.AuthToken.length < 16)
    warnings.push("AuthToken is shorter than 16 characters: it can be guessed");
  if (config.AllowInsecure === "all") warnings.push("AllowInsecure all lets anybody who reaches this server do anything");
  return warnings;
}
