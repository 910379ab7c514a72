// Rules broken on purpose, one at a time (R31): each must be caught, or the simulation proves nothing about it.
const drive = "src/engine/drive.ts";
const memory = "src/stores/memory/store.ts";

export const mutants = [
  {
    name: "a late success before a dependent step under a timeout",
    file: drive,
    find: "return sequential && !limited;",
    replace: "return true;",
  },
  { name: "move without owner", file: memory, find: "loaded.transaction.owner !== fence.owner ||", replace: "" },
  {
    name: "a claim of unknown outcome is repeated, not read back",
    file: "src/scheduler/claim-loop.ts",
    find: "await this.readBack(owner);",
    replace: "this.#again = true;",
  },
  {
    name: "a lease of unknown outcome is forgotten",
    file: "src/engine/commands.ts",
    find: "this.parts.engine.recover(gid, owner, { at, notBefore: at });",
    replace: "",
  },
  {
    name: "a drive that broke off is taken up as it is",
    file: "src/engine/engine.ts",
    find: "return await this.#layDown(found, looks);",
    replace: "return this.begin({ loaded: found, owner, fresh: false, pass: false });",
  },
  {
    name: "claims on the node's clock",
    file: memory,
    find: "const resting: Loaded[] = [];",
    replace:
      "for (const [epoch, until] of this.#alive) if (until <= claim.now) { this.#alive.delete(epoch); this.#dead.add(epoch); }\n    const resting: Loaded[] = [];",
  },
  { name: "rest over a nudge", file: memory, find: "transaction.wake !== rest.wake", replace: "false" },
  {
    name: "an index apart from its row",
    file: memory,
    find: "if (isFinal(status)) this.#unfinished.delete(gid);",
    replace: 'if (isFinal(status) || status === "aborting") this.#unfinished.delete(gid);',
  },
  {
    name: "a compensation beside its action",
    file: "src/engine/saga.ts",
    find: "!view.inFlight.has(actionPlace(step)))\n",
    replace: "true || view)\n",
  },
  {
    name: "a submit that loses the delay",
    file: "src/engine/transaction.ts",
    find: "submitted.customData || prepared.customData",
    replace: "prepared.customData",
  },
  {
    name: "acting before the decision is durable",
    file: drive,
    find: "const moved = await this.#context.store.move(",
    replace: "const moved = await unwaited(this.#context.store.move(",
    also: [
      { find: "...reason,\n    });\n    if (moved", replace: "...reason,\n    }));\n    if (moved" },
      {
        find: "/** How long a caller waits",
        replace:
          "async function unwaited(p: Promise<any>): Promise<any> { void p.catch(() => undefined); return { kind: 'moved', branches: null }; }\n\n/** How long a caller waits",
      },
    ],
  },
  {
    name: "a msg is delivered before its decision is stored",
    file: "src/engine/msg.ts",
    find: 'case "success":\n      return { kind: "move", to: "submitted" };',
    replace: 'case "success":\n      return deliver(view);',
  },
  {
    name: "only what was recorded is undone",
    file: "src/engine/saga.ts",
    find: "view.started.has(actionPlace(step)) || mayStart(view, step)",
    replace: "view.started.has(actionPlace(step))",
  },
  {
    name: "compensations in any order",
    file: "src/engine/saga.ts",
    find: ".filter((step) => !waiting.has(step))",
    replace: ".filter((step) => waiting.size >= 0 && step >= 0)",
  },
  {
    name: "answering before it is stored",
    file: "src/engine/commands.ts",
    find: 'const created = await this.parts.store.create(loaded);\n    if (created.kind === "created") return;',
    replace:
      "void this.parts.store.create(loaded).catch(() => undefined);\n    const created = { kind: 'created' } as any;\n    if (created.kind === \"created\") return;",
  },
  {
    name: "calling while the heartbeat is unconfirmed",
    file: "src/engine/engine.ts",
    find: "parts.settings.leaseMs - 1_000,",
    replace: "Infinity,",
  },
  {
    name: "a dead epoch revives",
    file: memory,
    find: "if (this.#dead.has(epoch)) return false;",
    replace: "this.#dead.delete(epoch);",
  },
  {
    name: "a caller takes the lease from a live owner",
    file: memory,
    find: 'transaction.owner !== "" && this.#lives(transaction.owner)',
    replace: "false",
  },
  {
    name: "a final transaction is moved again",
    file: memory,
    find: "!change.from.includes(current.transaction.status)",
    replace: "false",
  },
  {
    name: "a late answer counts after the turn",
    file: drive,
    find: 'branch?.op === "action" && status !== "submitted"',
    replace: "false",
  },
];
