import { createRequire } from "node:module";
import express from "express";
import Database from "libsql";
import scenario from "./scenario.cjs";

const require = createRequire(import.meta.url);
const names = require("./entries.json");
const loaded = {};
const other = {};
for (const name of names) {
  loaded[name] = await import(name);
  other[name] = require(name);
}
await scenario(loaded, other, express, Database);
console.log(`import: ${names.length} entry points and two sagas on Node ${process.versions.node}`);
