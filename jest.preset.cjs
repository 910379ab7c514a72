// One preset for every package: swc strips the types (tsc -b checks them), ".js" import paths find their ".ts" source,
// and a package of this workspace is its source, since jest runs CommonJS and dist holds ES modules.
module.exports = {
  testEnvironment: "node",
  transform: {
    "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "commonjs" } }],
  },
  moduleNameMapper: {
    "^(\\.{1,2}/.*)\\.js$": "$1",
    "^@dtm/(protocol|barrier|client|client-core|client-http|client-grpc|testing)$": `${__dirname}/packages/$1/src/index.ts`,
    "^@dtm/(protocol|barrier|client|client-core|client-http|client-grpc|testing)/([a-z0-9-]+)$": `${__dirname}/packages/$1/src/$2.ts`,
    "^@dtm/server/embedded$": `${__dirname}/apps/server/src/embedded.ts`,
  },
  modulePathIgnorePatterns: ["<rootDir>/dist"],
  setupFilesAfterEnv: [require.resolve("./jest.setup.cjs")],
};
