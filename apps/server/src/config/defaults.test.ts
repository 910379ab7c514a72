import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_ENGINE_SETTINGS } from "../engine/settings.js";
import { loadConfig } from "./load.js";
import { settingsReference } from "./reference.js";
import { toEngineSettings } from "./to-engine.js";
import { LEAVES } from "./tree.js";

test("the settings' defaults are the engine's", () => {
  expect(toEngineSettings(loadConfig({ env: {} }).config)).toEqual(DEFAULT_ENGINE_SETTINGS);
});

test.each(LEAVES.map((leaf) => [leaf.path, leaf] as const))("%s: its default is a value of its own kind", (_, { spec }) => {
  const text = spec.initial === null ? "" : Array.isArray(spec.initial) ? spec.initial.join(",") : String(spec.initial);
  expect(spec.kind.type.safeParse(text)).toEqual({ success: true, data: spec.initial });
});

test("docs/settings.md is current; if not: node apps/server/bin/dtm.js config reference > docs/settings.md", () => {
  expect(readFileSync(join(__dirname, "../../../../docs/settings.md"), "utf8")).toBe(settingsReference());
});
