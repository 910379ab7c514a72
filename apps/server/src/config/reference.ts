/** The reference page docs/settings.md, made from the settings themselves. */
import { LEAVES, type Leaf } from "./tree.js";

const HEAD = `# Settings

<!-- Made by \`dtm config reference > docs/settings.md\`; a test compares. -->

A setting has one name in the YAML file (\`dtm -c file\`) and one in the environment. The default counts first, then the file, then the
environment (dtm let the file win), then flags. An empty variable counts as not set. A name that nobody knows stops the start. Lists are
YAML lists or texts separated by commas. \`dtm config print\` shows what is in force, without secrets.

`;

export function settingsReference(): string {
  const used = LEAVES.filter(({ spec }) => spec.unused === undefined);
  const unused = LEAVES.filter(({ spec }) => spec.unused !== undefined);
  return [
    HEAD,
    "| Setting | Environment | Default | Unit | Meaning |\n|---|---|---|---|---|\n",
    ...used.map(row),
    "\n## Settings of dtm that do nothing here\n\nThey are accepted, and said once at start.\n\n",
    "| Setting | Environment | Why |\n|---|---|---|\n",
    ...unused.map(({ path, env, spec }) => `| ${path} | ${env} | ${spec.unused} |\n`),
  ].join("");
}

function row({ path, env, spec }: Leaf): string {
  const names = spec.secret === true ? `${env}, ${env}_FILE` : env;
  const about = spec.about.replaceAll("|", "\\|");
  return `| ${path} | ${names} | ${shown(spec.initial)} | ${spec.unit ?? ""} | ${about} Takes ${spec.kind.expected}. |\n`;
}

function shown(value: unknown): string {
  if (value === null || value === "") return "";
  return `\`${typeof value === "string" ? value : Array.isArray(value) ? value.join(",") : JSON.stringify(value)}\``;
}
