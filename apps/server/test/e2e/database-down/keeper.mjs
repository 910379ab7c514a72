// A database server that a test may kill: started here, told by messages what to do, gone when the test is.
import process from "node:process";
import { startOwn } from "../../../../../scripts/lib/services.mjs";

const [name, options] = process.argv.slice(2);
let service = null;

process.on("disconnect", () => void leave());
process.on("message", ({ id, work, port }) => {
  carryOut(work, port).then(
    () => process.send({ id }),
    (cause) => process.send({ id, error: cause.message }),
  );
});

try {
  service = await startOwn(name, JSON.parse(options));
  process.send(service === null ? { missing: true } : { url: service.url });
} catch (cause) {
  process.send({ error: `${name} did not start: ${cause.message}` });
}

async function carryOut(work, port) {
  const member = service.members.find((one) => one.port === port);
  await (work === "kill" ? member.kill() : member.start());
}

async function leave() {
  await service?.stop();
  process.exit(0);
}
