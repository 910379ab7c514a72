/**
 * The participants of a world: services that keep an effect per branch, with a barrier or naive but idempotent, and a network
 * between them and the coordinator that loses requests and replies. What must never happen at a service is judged here, at the
 * moment it would happen.
 */
import type { Outcome } from "@dtm/protocol";
import { isFinal } from "../../src/engine/transaction.js";
import type { Invocation, Participants } from "../../src/participants/participant.js";
import type { Node } from "./node.js";
import type { World } from "./world.js";

/** What goes out only after `submitted` is stored, and a saga's action not after its turn either. */
const ONWARD: ReadonlySet<string> = new Set(["action", "confirm", "commit"]);
const UNDO_OF: Readonly<Record<string, string>> = { compensate: "action", cancel: "try", rollback: "action" };

export interface BranchState {
  /** The effect of action, try or XA work stands. */
  effect: boolean;
  ran: boolean;
  undone: boolean;
  confirmed: boolean;
  /** The undo came first: what comes later is refused (barrier). */
  barred: boolean;
}

/** How a branch behaves, chosen once per world so that an action that succeeded once answers success again (R9). */
export interface Temper {
  /** The action refuses for good. */
  readonly refuses: boolean;
  /** Answers this often "unknown" or "ongoing" before the real answer. */
  unknowns: number;
  ongoings: number;
  /** An undo or confirm that answers FAILURE this often, which is only a temporary error. */
  undoRefusals: number;
  readonly slowMs: number;
}

export class Services {
  readonly states = new Map<string, BranchState>();
  readonly #tempers = new Map<string, Temper>();
  /** Calls still waited for: `<gid>/<branch>/<op>` -> the epochs that made them. */
  readonly #open = new Map<string, Set<string>>();
  /** Answers a callback: query-prepared of a msg, recall of a workflow. */
  readonly callbacks = new Map<string, (node: Node) => Promise<Outcome>>();

  constructor(readonly world: World) {}

  participants(node: Node): Participants {
    return {
      destinationOf: ({ url }) => this.world.destinationOf(url),
      call: (invocation) => this.#call(node, invocation),
      close: async () => undefined,
    };
  }

  state(gid: string, branchId: string): BranchState {
    const key = `${gid}/${branchId}`;
    let state = this.states.get(key);
    if (state === undefined) {
      state = { effect: false, ran: false, undone: false, confirmed: false, barred: false };
      this.states.set(key, state);
    }
    return state;
  }

  /** A try or XA phase 1, called by the client; false: barred or refused. */
  attempt(gid: string, branchId: string): boolean {
    const state = this.state(gid, branchId);
    if (this.world.barriered && state.barred) return false;
    state.effect = true;
    state.ran = true;
    return true;
  }

  #call(node: Node, invocation: Invocation): Promise<Outcome> {
    const { world } = this;
    const key = `${invocation.gid}/${invocation.branchId}/${invocation.op}`;
    this.#judgeCall(node, invocation, key);
    const { epoch } = node.core.engine;
    const open = this.#open.get(key) ?? new Set();
    this.#open.set(key, open.add(epoch));
    world.called(invocation.gid);
    const started = world.clock.now();
    return new Promise<Outcome>((resolve) => {
      const answer = (outcome: Outcome): void => {
        open.delete(epoch);
        node.gate(() => resolve(outcome));
      };
      let answered = false;
      const once = (outcome: Outcome): void => {
        if (answered) return;
        answered = true;
        answer(outcome);
      };
      world.clock.after(invocation.timeoutMs, () => once({ kind: "unknown", message: "timeout" }));
      if (world.networkFault("lost request", 0.06)) return;
      const temper = this.#temper(invocation);
      const travel = world.random.chance(0.3) ? world.random.between(1, 40) : 0;
      // A request may be overtaken by the caller's own deadline only where a barrier sorts it out.
      const slow = world.healed
        ? 0
        : world.barriered || invocation.op !== "action"
          ? temper.slowMs
          : Math.min(temper.slowMs, invocation.timeoutMs - 100);
      world.clock.after(travel + slow, () => {
        if (world.clock.now() - started > invocation.timeoutMs) world.met("late answer");
        void this.#serve(node, invocation, temper).then((outcome) => {
          if (!world.networkFault("lost reply", 0.06)) once(outcome);
        });
      });
    });
  }

  async #serve(node: Node, invocation: Invocation, temper: Temper): Promise<Outcome> {
    const { gid, branchId, op, url } = invocation;
    if (this.world.isDown(url)) return { kind: "unknown", message: "down" };
    const callback = this.callbacks.get(gid);
    if (branchId === "00" && callback !== undefined) return callback(node);
    if (temper.unknowns > 0 && !this.world.healed) {
      temper.unknowns--;
      return { kind: "unknown", message: "temporarily broken" };
    }
    if (temper.ongoings > 0) {
      temper.ongoings--;
      return { kind: "ongoing", reason: "ONGOING" };
    }
    const state = this.state(gid, branchId);
    if (op in UNDO_OF) return this.#undo(invocation, state, temper);
    if (op === "confirm" || op === "commit") return this.#confirm(state, temper);
    if (temper.refuses) return { kind: "failure", reason: "refused" };
    // The barrier: overtaken by its undo, or seen before.
    if (this.world.barriered && (state.barred || state.ran)) return { kind: "success" };
    state.effect = true;
    state.ran = true;
    this.world.judgeDelay(gid);
    return { kind: "success" };
  }

  #confirm(state: BranchState, temper: Temper): Outcome {
    if (temper.undoRefusals > 0) {
      temper.undoRefusals--;
      return { kind: "failure", reason: "not now" };
    }
    state.confirmed = true;
    return { kind: "success" };
  }

  #undo({ gid, branchId, op }: Invocation, state: BranchState, temper: Temper): Outcome {
    if (temper.undoRefusals > 0) {
      temper.undoRefusals--;
      return { kind: "failure", reason: "not now" };
    }
    if (op === "compensate") this.world.judgeUndoOrder(gid, branchId);
    state.effect = false;
    state.undone = true;
    if (!state.ran) state.barred = true;
    return { kind: "success" };
  }

  /** Promises 2 and 4, and R10, at the moment a call goes out. */
  #judgeCall(node: Node, { gid, branchId, op }: Invocation, key: string): void {
    const { world } = this;
    const row = world.peek(gid)?.transaction;
    if (row === undefined) return world.violated(`${key} is called but ${gid} is not stored`);
    if (op in UNDO_OF && row.status !== "aborting" && row.status !== "failed")
      world.violated(`${key} is called while ${row.status} is stored`);
    // A driver on another node learns of a forced end at its next write (R5).
    const forced = world.stories.get(gid)?.forced === true && isFinal(row.status);
    if (ONWARD.has(op) && row.status !== "submitted" && !forced) world.violated(`${key} is called while ${row.status} is stored`);
    const { epoch } = node.core.engine;
    if (!row.owner.startsWith(`${epoch}:`) && !isFinal(row.status))
      world.violated(`${key} is called by ${epoch} while '${row.owner}' drives`);
    if (this.#open.get(key)?.has(epoch)) world.violated(`${key} is called twice at once by ${epoch}`);
    if (op === "compensate" && this.#open.get(`${gid}/${branchId}/action`)?.has(epoch)) {
      world.violated(`${key} is called while the same node's action is in flight`);
    }
  }

  #temper({ gid, branchId, op }: Invocation): Temper {
    const key = `${gid}/${branchId}/${op}`;
    let temper = this.#tempers.get(key);
    if (temper === undefined) {
      const { random } = this.world;
      temper = {
        refuses: op === "action" && this.world.mayRefuse(gid) && random.chance(0.3),
        unknowns: random.chance(0.2) ? random.between(1, 3) : 0,
        ongoings: random.chance(0.1) ? random.between(1, 2) : 0,
        undoRefusals: op !== "action" && random.chance(0.1) ? 1 : 0,
        slowMs: random.chance(0.2) ? random.between(100, 5_000) : 0,
      };
      this.#tempers.set(key, temper);
    }
    return temper;
  }
}
