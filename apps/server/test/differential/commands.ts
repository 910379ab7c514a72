/** Random commands over a few gids, owners and destinations, so that they meet; mostly such that would succeed on what is stored. */
import {
  type Branch,
  type GlobalStatus,
  isFinal,
  type Loaded,
  NO_OPTIONS,
  type Transaction,
  type TransactionOptions,
} from "../../src/engine/transaction.js";
import { branch, NOW, plain, plainBranch, SECOND, transaction } from "../../src/stores/contract/fixtures.js";
import type { BranchResult, Store } from "../../src/stores/store.js";
import type { Random } from "../simulation/random.js";

export interface Command {
  readonly text: string;
  /** Its answer, without what each store has of its own: ids. */
  run(store: Store): Promise<unknown>;
}

const GIDS = ["a", "ab", "ab%", "A", "ü", "b"] as const;
const DESTINATIONS = ["", "http://one", "http://two"] as const;
const STATUSES: readonly GlobalStatus[] = ["prepared", "submitted", "aborting", "succeed", "failed"];
const REASONS = ["", "first", "second"] as const;
const KEYS = ["k1", "k2", "k3"] as const;

export class Commands {
  #now = NOW;
  #owners = 0;

  constructor(
    private readonly random: Random,
    /** Where it looks up what is stored. */
    private readonly model: Store,
  ) {}

  /** One that writes; several may be asked for at once. */
  async write(): Promise<Command> {
    const { random } = this;
    this.#now += random.below(3) * SECOND;
    const gid = random.pick(GIDS);
    const current = await this.model.find(gid);
    const kind = random.below(20);
    if (current === null && kind < 14) return random.chance(0.5) ? this.#create(gid) : this.#submit(gid);
    switch (kind) {
      case 0:
        return this.#create(gid);
      case 1:
      case 2:
        return this.#submit(gid);
      case 3:
      case 4:
        return this.#register(gid);
      case 5:
      case 6:
        return this.#change(gid, current);
      case 7:
        return this.#nudge(gid);
      case 8:
      case 9:
      case 10:
        return this.#move(gid, current);
      case 11:
        return this.#record(gid, current);
      case 12:
      case 13:
        return this.#rest(gid, current);
      case 14:
      case 15:
      case 16:
        return this.#claimDue();
      case 17:
        return random.chance(0.5) ? this.#claimWaiting() : this.#wakeWaiting();
      case 18:
        return random.chance(0.7) ? this.#resetDue() : this.#sweep();
      default:
        return this.#key();
    }
  }

  read(): Command {
    const { random } = this;
    switch (random.below(7)) {
      case 0: {
        const gid = random.pick(GIDS);
        return command("find", gid, async (store) => plain(await store.find(gid)));
      }
      case 1: {
        const owner = this.#someOwner();
        return command("ownedBy", owner, async (store) => (await store.ownedBy(owner)).map(plain));
      }
      case 2: {
        const atLeast = random.between(1, 2);
        return command("waitingDestinations", atLeast, async (store) => [...(await store.waitingDestinations(atLeast))].sort());
      }
      case 3: {
        const limit = random.between(1, 4);
        const stuckAttempts = { saga: limit, tcc: 5 - limit, xa: limit, msg: limit, workflow: limit };
        const ask = { stuckAttempts, stuckRefusals: random.between(1, 3), overdueBefore: this.#time() };
        return command("summary", ask, (store) => store.summary(ask));
      }
      case 4: {
        const filter = { cat: random.pick(["", "topics", "else"]), key: random.pick(["", ...KEYS]) };
        return command("findKeys", filter, async (store) => (await store.findKeys(filter)).map((kept) => ({ ...kept, id: 0 })));
      }
      default:
        return this.#list();
    }
  }

  #list(): Command {
    const { random } = this;
    const filter = {
      ...(random.chance(0.3) ? { status: random.pick(STATUSES) } : {}),
      ...(random.chance(0.2) ? { type: random.pick(["saga", "tcc"] as const) } : {}),
      ...(random.chance(0.3) ? { gidPrefix: random.pick(["a", "ab", "A", "ü", "%"]) } : {}),
      ...(random.chance(0.2) ? { createdFrom: this.#time() } : {}),
      ...(random.chance(0.2) ? { createdTo: this.#time() } : {}),
      limit: random.between(1, 4),
    };
    return command("list", filter, async (store) => {
      const pages: unknown[] = [];
      let position = "";
      do {
        const page = await store.list({ ...filter, position });
        pages.push(page.transactions.map((listed) => plain({ transaction: listed, branches: [] })));
        position = page.nextPosition;
      } while (position !== "");
      return pages;
    });
  }

  #create(gid: string): Command {
    const loaded = this.#loaded(gid, this.random.pick(["prepared", "prepared", "submitted"]), this.#maybeOwner());
    return command("create", plain(loaded), async (store) => {
      const created = await store.create(loaded);
      return created.kind === "created" ? created : { kind: created.kind, current: plain(created.current) };
    });
  }

  #submit(gid: string): Command {
    const loaded = this.#loaded(gid, "submitted", this.#maybeOwner());
    return command("submit", plain(loaded), async (store) => {
      const submitted = await store.submit(loaded);
      if (submitted.kind === "moved") return { ...submitted, loaded: plain(submitted.loaded) };
      return submitted.kind === "exists" ? { ...submitted, current: plain(submitted.current) } : submitted;
    });
  }

  #register(gid: string): Command {
    const { random } = this;
    const id = random.pick(["01", "02", "03"]);
    const branches = random
      .pick([["cancel", "confirm"], ["action"], ["confirm", "confirm"]])
      .map((op) => branch(gid, id, op, { payload: this.#payload(), createTime: this.#now, updateTime: this.#now }));
    return command("register", branches.map(plainBranch), (store) => store.registerBranches(gid, branches));
  }

  #change(gid: string, current: Loaded | null): Command {
    const { random } = this;
    const from = random.chance(0.7) && current !== null ? [current.transaction.status] : [random.pick(STATUSES)];
    const change = {
      from: from.filter((status) => !isFinal(status)),
      to: random.pick(["aborting", "aborting", "failed", "succeed"] as const),
      at: this.#now,
      owner: this.#maybeOwner(),
      ...(random.chance(0.5) ? { rollbackReason: random.pick(REASONS) } : {}),
      ...(random.chance(0.2) ? { result: "cmVz" } : {}),
    };
    return command("change", { gid, ...change }, async (store) => {
      const changed = await store.change(gid, change);
      return changed.kind === "changed"
        ? { ...changed, loaded: plain(changed.loaded) }
        : { ...changed, current: plain(changed.current) };
    });
  }

  #nudge(gid: string): Command {
    const at = this.#now;
    return command("nudge", { gid, at }, (store) => store.nudge(gid, at));
  }

  #move(gid: string, current: Loaded | null): Command {
    const { random } = this;
    const move = {
      ...this.#fence(current),
      to: random.pick(["aborting", "aborting", "submitted", "succeed", "failed"] as const),
      at: this.#now,
      results: this.#results(current),
      ...(random.chance(0.5) ? { rollbackReason: random.pick(REASONS) } : {}),
      ...(random.chance(0.5) ? { nextCronTime: this.#time() } : {}),
    };
    return command("move", { gid, ...move }, async (store) => {
      const moved = await store.move(gid, move);
      if (moved.kind === "refused") return { ...moved, current: plain(moved.current) };
      return { ...moved, branches: moved.branches?.map(plainBranch) ?? null };
    });
  }

  #record(gid: string, current: Loaded | null): Command {
    const fence = this.#fence(current);
    const results = this.#results(current);
    const at = this.#now;
    return command("record", { gid, fence, results, at }, async (store) => {
      const recorded = await store.recordBranches(gid, fence, results, at);
      return recorded.kind === "done" ? recorded : { ...recorded, current: plain(recorded.current) };
    });
  }

  #rest(gid: string, current: Loaded | null): Command {
    const { random } = this;
    const wake = current?.transaction.wake ?? 0;
    const rest = {
      ...this.#fence(current),
      wake: random.chance(0.9) ? wake : wake + 1,
      at: this.#now,
      nextCronTime: this.#time(),
      nextCronInterval: random.between(1, 40),
      attempts: random.below(5),
      refusals: random.below(4),
      waitingOn: random.pick(DESTINATIONS),
      results: this.#results(current),
    };
    return command("rest", { gid, ...rest }, async (store) => {
      const rested = await store.rest(gid, rest);
      return rested.kind === "done" ? rested : { ...rested, current: plain(rested.current) };
    });
  }

  #claimDue(): Command {
    const claim = { owner: this.#newOwner(), limit: this.random.between(1, 3), now: this.#time() };
    return command("claimDue", claim, async (store) => {
      const { claimed, nextDue } = await store.claimDue(claim);
      return { claimed: claimed.map(plain), nextDue };
    });
  }

  #claimWaiting(): Command {
    const destination = this.random.pick(["http://one", "http://two"]);
    const claim = { owner: this.#newOwner(), limit: this.random.between(1, 2), now: this.#now };
    return command("claimWaiting", { destination, ...claim }, async (store) =>
      (await store.claimWaiting(destination, claim)).map(plain),
    );
  }

  #wakeWaiting(): Command {
    const destination = this.random.pick(["http://one", "http://two"]);
    const limit = this.random.between(1, 2);
    const at = this.#now;
    return command("wakeWaiting", { destination, limit, at }, (store) => store.wakeWaiting(destination, limit, at));
  }

  #resetDue(): Command {
    const reset = { after: this.#time(), at: this.#now, limit: this.random.between(1, 3) };
    return command("resetDue", reset, (store) => store.resetDue(reset));
  }

  /** All at once: which go first is each store's own. */
  #sweep(): Command {
    const sweep = { endedBefore: this.#time(), limit: 1_000 };
    return command("sweep", sweep, (store) => store.sweep(sweep));
  }

  #key(): Command {
    const { random } = this;
    const cat = random.pick(["topics", "else"]);
    const key = random.pick(KEYS);
    const entry = { cat, key, value: String(random.below(100)), at: this.#now };
    const version = random.between(1, 3);
    switch (random.below(3)) {
      case 0:
        return command("createKey", entry, (store) => store.createKey(entry));
      case 1:
        return command("updateKey", { ...entry, version }, (store) => store.updateKey({ ...entry, version }));
      default:
        return command("deleteKey", { cat, key }, (store) => store.deleteKey(cat, key));
    }
  }

  #loaded(gid: string, status: "prepared" | "submitted", owner: string): Loaded {
    const { random } = this;
    const global: Partial<Transaction> = {
      gid,
      type: random.pick(["saga", "tcc"]),
      status,
      owner,
      options: random.chance(0.5) ? NO_OPTIONS : this.#options(),
      customData: random.pick(["", '{"concurrent":true}']),
      createTime: this.#now,
      updateTime: this.#now,
      submitTime: status === "submitted" ? this.#now : null,
      nextCronInterval: random.between(1, 20),
      nextCronTime: this.#time(),
    };
    const ids = ["01", "02"].slice(0, random.below(3));
    const branches: Branch[] = ids.flatMap((id) =>
      ["compensate", "action"].map((op) => branch(gid, id, op, { payload: this.#payload() })),
    );
    return { transaction: transaction(global), branches };
  }

  #options(): TransactionOptions {
    const { random } = this;
    return {
      waitResult: random.chance(0.5),
      timeoutToFail: random.below(3),
      requestTimeout: random.below(3),
      retryInterval: random.below(3),
      retryLimit: random.below(3),
      concurrent: random.chance(0.5),
      branchHeaders: random.chance(0.5) ? {} : { [random.pick(["x-a", "x-b"])]: random.pick(["1", "2"]) },
    };
  }

  #results(current: Loaded | null): BranchResult[] {
    const { random } = this;
    return (current?.branches ?? []).flatMap(({ branchId, op }): BranchResult[] =>
      random.chance(0.3) ? [{ branchId, op, status: random.pick(["succeed", "failed"]), at: this.#time() }] : [],
    );
  }

  /** Usually the right one. */
  #fence(current: Loaded | null): { owner: string; status: GlobalStatus } {
    const { random } = this;
    const { owner = "", status = "submitted" } = current?.transaction ?? {};
    return random.chance(0.85) ? { owner, status } : { owner: this.#someOwner(), status: random.pick(STATUSES) };
  }

  #payload(): Uint8Array {
    return Uint8Array.from({ length: this.random.below(20) }, () => this.random.below(256));
  }

  #newOwner(): string {
    return `here:${++this.#owners}`;
  }

  #maybeOwner(): string {
    return this.random.chance(0.6) ? this.#newOwner() : "";
  }

  #someOwner(): string {
    return `here:${this.random.below(this.#owners + 1)}`;
  }

  /** Whole seconds around now. */
  #time(): number {
    return this.#now + this.random.between(-20, 20) * SECOND;
  }
}

function command(name: string, given: unknown, run: (store: Store) => Promise<unknown>): Command {
  return { text: `${name} ${JSON.stringify(given)}`, run };
}
