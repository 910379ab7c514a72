import { storeContract } from "../contract/contract.js";
import { openMemory } from "./store.js";

storeContract("memory", async () => {
  const store = openMemory({ now: Date.now });
  return { store, dispose: () => store.close() };
});

storeContract("memory, shared by nodes", async () => {
  const store = openMemory({ now: Date.now, shared: true });
  return { store, dispose: () => store.close() };
});
