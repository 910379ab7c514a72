const preset = require("../../jest.preset.cjs");

module.exports = {
  ...preset,
  rootDir: __dirname,
  roots: ["<rootDir>/src", "<rootDir>/test"],
  // Compiled on installation, which is not done here; libsql has its interface, and ORMs take it for it.
  moduleNameMapper: { ...preset.moduleNameMapper, "^better-sqlite3$": "libsql" },
};
