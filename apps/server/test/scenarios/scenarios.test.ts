/** Every story in `stories/` gives the transcript that it ends with. README.md tells the language; `SCENARIOS_REWRITE=1` accepts new transcripts. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tellStory } from "./teller.js";

const FOLDER = join(__dirname, "stories");
const REWRITE = process.env["SCENARIOS_REWRITE"] === "1";

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

test.each(files)("%s", async (file) => {
  const path = join(FOLDER, file);
  const text = readFileSync(path, "utf8");
  const told = await tellStory(file, text);
  if (REWRITE && told !== text) writeFileSync(path, told);
  if (!REWRITE) expect(told).toBe(text);
});
