const preset = require("../../jest.preset.cjs");
const nest = require("./test/frameworks/jest-nest.cjs");

module.exports = {
  ...preset,
  rootDir: __dirname,
  transform: { ...nest.transform, ...preset.transform },
  transformIgnorePatterns: nest.transformIgnorePatterns,
  roots: ["<rootDir>/src", "<rootDir>/test"],
  // Compiled on installation, which is not done here; libsql has its interface, and ORMs take it for it.
  moduleNameMapper: { ...preset.moduleNameMapper, "^better-sqlite3$": "libsql" },
};
