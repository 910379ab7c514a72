/** Reads the YAML file into texts by place, and refuses what isn't a setting: a key that nobody reads is a mistake nobody sees. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { StartError } from "../service.js";
import { nearest } from "./nearest.js";
import { SETTINGS } from "./schema.js";
import { type Group, isGroup, LEAVES } from "./tree.js";

const PATHS = LEAVES.map((leaf) => leaf.path);

export function readYaml(content: string, file: string): ReadonlyMap<string, string> {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw new StartError(`${file}, line ${lines.linePos(error.pos[0]).line}: ${firstLine(error.message)}`);
  const found = new Map<string, string>();
  const root = document.contents;
  if (root === null || isEmpty(root)) return found;
  if (!isMap(root)) throw new StartError(`${file}: expected settings as "Name: value" lines`);
  collect(root, SETTINGS, "", { file, lines, found });
  return found;
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly found: Map<string, string>;
}

function collect(map: YAMLMap, group: Group, parent: string, reading: Reading): void {
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : "";
    const path = parent === "" ? name : `${parent}.${name}`;
    const where = `${reading.file}, line ${lineOf(key, reading.lines)}`;
    if (!Object.hasOwn(group, name)) throw new StartError(`${where}: unknown setting ${path}${meant(path, group, parent)}`);
    const node = group[name];
    if (isEmpty(value)) continue;
    if (isGroup(node)) {
      if (!isMap(value)) throw new StartError(`${where}: ${path} holds settings of its own: ${Object.keys(node).join(", ")}`);
      collect(value, node, path, reading);
    } else {
      reading.found.set(path, textOf(value, `${where}: ${path}`));
    }
  }
}

/** Siblings first, then the same word elsewhere in the tree. */
function meant(path: string, group: Group, parent: string): string {
  const siblings = Object.keys(group).map((name) => (parent === "" ? name : `${parent}.${name}`));
  const name = nearest(path, siblings) ?? nearest(path, PATHS);
  return name === null ? "; docs/settings.md lists all" : `; did you mean ${name}?`;
}

/** As written, so that a password like 0123 stays what it is. */
function textOf(node: unknown, where: string): string {
  if (isScalar(node)) return scalarText(node);
  if (isSeq(node) && node.items.every(isScalar)) return node.items.map((item) => scalarText(item)).join(",");
  throw new StartError(`${where}: expected one value`);
}

function scalarText(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value));
}

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function lineOf(node: unknown, lines: LineCounter): number {
  return isScalar(node) && node.range ? lines.linePos(node.range[0]).line : 1;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
