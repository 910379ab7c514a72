/** One server under test with what stands around it: a service of its own name, clients, and the durability that was proved. */
import { assertDurability } from "./durability.mjs";
import { startServer } from "./server-process.mjs";
import { WireClient } from "./wire.mjs";

let serviceNumber = 0;

export async function layBed({ peer, store, temp, services, connections = 64, nodeFlags = [], checkDurability = true }) {
  await store.reset(store.connection, peer);
  const server = await startServer(peer, { store, temp: temp || undefined, nodeFlags });
  const coordinator = new WireClient({ port: server.port, connections });
  const opened = [];
  const open = async (options) => {
    const name = `service-${serviceNumber++}`;
    const service = { name, ...(await services.open(name, options)) };
    opened.push(name);
    return service;
  };
  const bed = {
    peer,
    server,
    coordinator,
    open,
    async clear() {
      coordinator.close();
      await server.dispose();
      for (const name of opened) await services.close(name);
    },
  };
  try {
    const probe = await open();
    bed.durability = checkDurability ? await assertDurability({ peer, store, coordinator, service: probe.url }) : "not checked";
    return bed;
  } catch (cause) {
    await bed.clear();
    throw new Error(`${peer.label}: ${cause.message}\n${server.output}`, { cause });
  }
}
