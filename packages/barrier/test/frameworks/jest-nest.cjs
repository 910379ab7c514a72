// What the package's jest needs for NestJS: its tests have decorators, and it is ES modules only, which jest makes CommonJS of.
const swc = (jsc) => ["@swc/jest", { jsc: { target: "es2022", ...jsc }, module: { type: "commonjs" } }];

module.exports = {
  transform: {
    "/nest[^/]*\\.test\\.ts$": swc({
      parser: { syntax: "typescript", decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    }),
    "/node_modules/.+\\.js$": swc({ parser: { syntax: "ecmascript" } }),
  },
  transformIgnorePatterns: [
    "/node_modules/(?!(\\.pnpm/[^/]+/node_modules/)?(@nestjs|file-type|load-esm|strtok3|token-types|uint8array-extras|@tokenizer|@borewit)/)",
  ],
};
