// All workspaces in one run: `npm test` and `npx jest <pattern>` from the root.
const { existsSync, readdirSync } = require("node:fs");
const { join } = require("node:path");

const projects = ["packages", "apps", "examples"]
  .filter((group) => existsSync(join(__dirname, group)))
  .flatMap((group) => readdirSync(join(__dirname, group)).map((name) => join(__dirname, group, name)))
  .filter((folder) => existsSync(join(folder, "jest.config.cjs")));

module.exports = { projects };
