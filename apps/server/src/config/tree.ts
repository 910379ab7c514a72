/** Walks the settings' tree: every leaf with its place in the file and its name in the environment. */
import { type Config, SETTINGS } from "./schema.js";
import { Setting, type Spec } from "./setting.js";

export interface Leaf {
  /** As in `Store.Host`. */
  readonly path: string;
  /** As in `STORE_HOST`. */
  readonly env: string;
  readonly spec: Spec<unknown>;
}

/** A branch of the tree: settings and further branches by name. */
export type Group = { readonly [name: string]: unknown };

export const LEAVES: readonly Leaf[] = [...leavesOf(SETTINGS, [])];

export function isGroup(node: unknown): node is Group {
  return typeof node === "object" && node !== null && !(node instanceof Setting);
}

/** dtm's rule: `_` between the parts, before a word that follows capitals, and between small letters and capitals. */
export function envName(path: string): string {
  return path
    .replaceAll(".", "_")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replace(/([a-z])([A-Z]+)/g, "$1_$2")
    .toUpperCase();
}

export function buildConfig(read: (leaf: Leaf) => unknown): Config {
  const values = new Map(LEAVES.map((leaf) => [leaf.path, read(leaf)]));
  const build = (group: Group, parents: readonly string[]): Group =>
    Object.freeze(
      Object.fromEntries(
        Object.entries(group).map(([name, node]) => {
          const path = [...parents, name];
          return [name, isGroup(node) ? build(node, path) : values.get(path.join("."))];
        }),
      ),
    );
  // Each value came out of its own setting's type, and the tree's shape is SETTINGS' own.
  return build(SETTINGS, []) as Config;
}

function* leavesOf(group: Group, parents: readonly string[]): Iterable<Leaf> {
  for (const [name, node] of Object.entries(group)) {
    const path = [...parents, name];
    if (node instanceof Setting) yield { path: path.join("."), env: envName(path.join(".")), spec: node.spec };
    else if (isGroup(node)) yield* leavesOf(node, path);
  }
}
