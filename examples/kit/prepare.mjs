// Before `npm start` of an example: dependencies and build, with what it depends on, each only when something changed. As npm start of the
// repository does it, it needs Node and npm, nothing else.
import process from "node:process";
import { giveUp } from "../../scripts/lib/terminal.mjs";
import { prepareWorkspace } from "../../scripts/lib/workspace.mjs";

try {
  const { npm_package_name: name } = process.env;
  if (name === undefined) throw new Error("expected to be run by npm start in an example's folder, found no npm_package_name");
  await prepareWorkspace([name]);
} catch (cause) {
  giveUp(cause);
}
