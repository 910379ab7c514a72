/** Reads a story whole, tells it on a stage, and writes it down again with the transcripts that came out. */
import { type Command, readCommand } from "./command.js";
import { Stage } from "./stage.js";
import { type Line, readStory, writeStory } from "./story.js";
import { StoryError } from "./words.js";

export async function tellStory(file: string, text: string): Promise<string> {
  const story = readStory(file, text);
  const blocks = story.blocks.map(({ commands }) => commands.map((line) => ({ line, command: readCommand(line) })));
  const stage = new Stage({ named: blocks.flat().some(({ command }) => command.kind === "start" && command.node !== "n1") });
  const transcripts: (readonly string[])[] = [];
  for (const block of blocks) {
    for (const { line, command } of block) await carryOut(stage, command, line);
    transcripts.push(stage.take());
  }
  return writeStory(story, transcripts);
}

async function carryOut(stage: Stage, command: Command, { place }: Line): Promise<void> {
  try {
    await stage.carryOut(command);
  } catch (cause) {
    throw new StoryError(place, cause instanceof Error ? cause.message : String(cause));
  }
}
