/** The configuration as it may be shown: the only form that is ever printed or logged (Q30). */
import { parse } from "yaml";
import type { LoadedConfig } from "./load.js";
import { SETTINGS } from "./schema.js";
import { type Group, isGroup, LEAVES, type Leaf } from "./tree.js";

const HIDDEN = "***";
const BY_PATH = new Map(LEAVES.map((leaf) => [leaf.path, leaf]));

/** What was set, by place; defaults are in docs/settings.md. */
export function settingsGiven({ config, sources }: LoadedConfig): Record<string, unknown> {
  const given = LEAVES.filter(({ path, spec }) => spec.unused === undefined && sources.get(path) !== "default");
  return Object.fromEntries(given.map((leaf) => [leaf.path, shown(leaf, valueAt(config, leaf.path))]));
}

/** The whole configuration as a YAML file, with the source of each value. */
export function printConfig(loaded: LoadedConfig): string {
  const lines = [...print(SETTINGS, loaded.config, "", loaded)];
  const widest = Math.max(...lines.map(({ left }) => left.length));
  return lines.map(({ left, source }) => (source === "" ? left : `${left.padEnd(widest)}  # ${source}`)).join("\n");
}

interface Line {
  readonly left: string;
  readonly source: string;
}

function* print(group: Group, values: unknown, parent: string, loaded: LoadedConfig): Iterable<Line> {
  const indent = "  ".repeat(parent === "" ? 0 : parent.split(".").length);
  for (const [name, node] of Object.entries(group)) {
    const path = parent === "" ? name : `${parent}.${name}`;
    const value = (values as Group)[name];
    if (isGroup(node)) {
      const inner = [...print(node, value, path, loaded)];
      if (inner.length > 0) yield* [{ left: `${indent}${name}:`, source: "" }, ...inner];
      continue;
    }
    const leaf = BY_PATH.get(path);
    if (leaf === undefined || leaf.spec.unused !== undefined) continue;
    yield { left: `${indent}${name}: ${yamlValue(shown(leaf, value))}`, source: loaded.sources.get(path) ?? "" };
  }
}

function shown({ spec }: Leaf, value: unknown): unknown {
  return spec.secret === true && value !== "" ? HIDDEN : value;
}

/** JSON is YAML; plain words stay bare because people read this. */
function yamlValue(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return /^[A-Za-z./][\w./:-]*$/.test(value) && parse(value) === value ? value : JSON.stringify(value);
}

function valueAt(config: unknown, path: string): unknown {
  return path.split(".").reduce((node, name) => (node as Group)[name], config);
}
