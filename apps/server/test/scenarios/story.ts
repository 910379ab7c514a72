/** A story file: a title, then blocks of commands and the transcript that they must give. Knows nothing of what commands mean. */
import type { Place } from "./words.js";
import { StoryError } from "./words.js";

export interface Line {
  readonly place: Place;
  readonly text: string;
}

export interface Block {
  /** As written, comments included: what a rewrite keeps. */
  readonly source: readonly string[];
  readonly commands: readonly Line[];
  readonly expected: readonly string[];
}

export interface Story {
  readonly title: readonly string[];
  readonly blocks: readonly Block[];
}

const DIVIDER = "----";

export function readStory(file: string, text: string): Story {
  const lines = text.split("\n").map((line, index) => ({ place: { file, line: index + 1 }, text: line.trimEnd() }));
  let at = 0;
  const title: string[] = [];
  for (let line = lines[at]; line?.text.startsWith("#") === true; line = lines[++at]) title.push(line.text);
  if (title.length === 0) throw new StoryError({ file, line: 1 }, "a story begins with '# ' and its title");

  const blocks: Block[] = [];
  while (at < lines.length) {
    if (lines[at]?.text === "") {
      at++;
      continue;
    }
    const begin = at;
    while (at < lines.length && lines[at]?.text !== DIVIDER) at++;
    const source = lines.slice(begin, at);
    if (at === lines.length) throw new StoryError({ file, line: begin + 1 }, `these commands are not followed by ${DIVIDER}`);
    const answer = ++at;
    while (at < lines.length && lines[at]?.text !== "") at++;
    blocks.push({
      source: source.map((line) => line.text),
      commands: source.filter(({ text }) => text !== "" && !text.startsWith("#")).flatMap(split),
      expected: lines.slice(answer, at).map((line) => line.text),
    });
  }
  if (blocks.length === 0) throw new StoryError({ file, line: title.length + 1 }, "a story has at least one block");
  return { title, blocks };
}

export function writeStory(story: Story, transcripts: readonly (readonly string[])[]): string {
  const blocks = story.blocks.map(({ source }, index) =>
    [...trimmed(source), DIVIDER, ...(transcripts[index] ?? [])].map((line) => `${line}\n`).join(""),
  );
  return [`${story.title.join("\n")}\n`, ...blocks].join("\n");
}

function split({ place, text }: Line): Line[] {
  return text.split(/\s*;\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((part) => ({ place, text: part.trim() }));
}

function trimmed(lines: readonly string[]): readonly string[] {
  return lines.at(-1) === "" ? trimmed(lines.slice(0, -1)) : lines;
}
