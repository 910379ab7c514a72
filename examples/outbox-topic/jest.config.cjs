// Only the soak has time for it: LONG_FORM=1.
module.exports = {
  ...require("../../jest.preset.cjs"),
  rootDir: __dirname,
  roots: ["<rootDir>/test"],
  testPathIgnorePatterns: process.env.LONG_FORM === "1" ? ["/node_modules/"] : ["/node_modules/", "/test/"],
};
