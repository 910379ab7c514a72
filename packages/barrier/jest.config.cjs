const preset = require("../../jest.preset.cjs");
const nest = require("./test/frameworks/jest-nest.cjs");

// Compiled on installation, which only the long form does; libsql has its interface, and ORMs take it for it.
const native = process.env.DTM_TEST_NATIVE;
const betterSqlite3 = native ? `${native}/node_modules/better-sqlite3` : "libsql";

module.exports = {
  ...preset,
  rootDir: __dirname,
  transform: { ...nest.transform, ...preset.transform },
  transformIgnorePatterns: nest.transformIgnorePatterns,
  roots: ["<rootDir>/src", "<rootDir>/test"],
  moduleNameMapper: { ...preset.moduleNameMapper, "^better-sqlite3$": betterSqlite3 },
};
