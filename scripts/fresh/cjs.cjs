const express = require("express");
const Database = require("libsql");
const scenario = require("./scenario.cjs");
const names = require("./entries.json");

async function main() {
  const loaded = {};
  const other = {};
  for (const name of names) {
    loaded[name] = require(name);
    other[name] = await import(name);
  }
  await scenario(loaded, other, express, Database);
  console.log(`require: ${names.length} entry points and two sagas on Node ${process.versions.node}`);
}

main().catch((cause) => {
  console.error(cause);
  process.exitCode = 1;
});
