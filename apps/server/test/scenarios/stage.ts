/** Carries a story's commands out, on one memory store, one virtual clock and one set of services for all its nodes. */
import { Refusal } from "../../src/engine/refusal.js";
import { type EngineSettings, type TypeSettings, toStuckAsk } from "../../src/engine/settings.js";
import { settle, VirtualClock } from "../../src/engine/virtual-clock.js";
import { MemoryStore } from "../../src/stores/memory/store.js";
import { ScriptedParticipants } from "../kit/scripted-participants.js";
import { settingsWith } from "../kit/test-node.js";
import { type Asked, type Command, FIRST_NODE } from "./command.js";
import { type NodeEvents, StoryNode } from "./node.js";
import { Transcript } from "./transcript.js";

const BEFORE_THE_FIRST: ReadonlySet<Command["kind"]> = new Set(["set", "topic", "script", "hide"]);
const LONGEST_WAIT = 7 * 86_400_000;
/** What the log says and nothing else shows; a store that is down is said once, by the story. */
const TOLD_EVENTS: ReadonlySet<string> = new Set([
  "late answer",
  "drive broke off",
  "epoch was declared dead",
  "destination is down; probing",
  "destination answers again",
]);

export class Stage {
  readonly #clock = new VirtualClock();
  /** Shared, so that a dead node's work is taken up by R2, as on every store with several nodes. */
  readonly #store = new MemoryStore({ now: () => this.#clock.now(), shared: true });
  readonly #services = new ScriptedParticipants(this.#clock);
  readonly #topics = new Map<string, readonly string[]>();
  readonly #nodes = new Map<string, StoryNode>();
  readonly #lives = new Map<string, number>();
  readonly #blocked = new Map<string, () => void>();
  readonly #unanswered = new Map<StoryNode, Set<Asked>>();
  readonly #set: { engine: Record<string, number>; types: Record<string, Record<string, number>> } = { engine: {}, types: {} };
  readonly #transcript: Transcript;

  constructor({ named }: { readonly named: boolean }) {
    this.#transcript = new Transcript({ now: () => this.#clock.now(), peek: (gid) => this.#store.peek(gid), named });
  }

  take(): readonly string[] {
    return this.#transcript.take();
  }

  async carryOut(command: Command): Promise<void> {
    await this.#carryOut(command);
    await settle();
  }

  async #carryOut(command: Command): Promise<void> {
    // The first node starts with the first command that needs one, so that settings can come before it.
    const early = BEFORE_THE_FIRST.has(command.kind) || (command.kind === "start" && command.node === FIRST_NODE);
    if (this.#lives.size === 0 && !early) await this.#start(FIRST_NODE);
    switch (command.kind) {
      case "set":
        return this.#setting(command.setting, command.value);
      case "topic":
        this.#topics.set(command.name, command.urls);
        return;
      case "script":
        if (command.replies === "hold") this.#services.hold(command.url);
        else this.#services.script(command.url, ...command.replies);
        return;
      case "ask": {
        for (const asked of command.asked) this.#ask(asked, this.#running(asked.node));
        return;
      }
      case "answer": {
        const call = this.#services.calls.find(({ gid, url, outcome }) => gid === command.gid && url === command.url && !outcome);
        if (call === undefined) throw new Error(`${command.gid} has no call of ${command.url} in flight`);
        return call.answer(command.reply.outcome);
      }
      case "advance":
        return this.#clock.advance(command.millis);
      case "until":
        return this.#until(command.gid, command.status);
      case "start":
        if (this.#nodes.has(command.node)) throw new Error(`${command.node} is running`);
        await this.#start(command.node);
        return;
      case "crash": {
        const node = this.#running(command.node);
        if (command.at === null) node.crash();
        else node.doom = command.at;
        return;
      }
      case "stop":
        return this.#stop(this.#running(command.node), command.graceMs);
      case "store":
        for (const [name, node] of this.#nodes) {
          if (command.node === null || command.node === name) node.watched.down = command.down;
        }
        return this.#transcript.say(
          `* ${command.node ?? "every node"} ${command.down ? "loses" : "has"} the store${command.down ? "" : " again"}`,
        );
      case "lose":
        this.#running(command.node).watched.fail(command.method, command.what === "reply" ? "after" : "before");
        return;
      case "block":
        this.#blocked.set(`${command.node} ${command.method}`, this.#running(command.node).watched.block(command.method));
        return;
      case "unblock": {
        const blocked = `${command.node} ${command.method}`;
        const letGo = this.#blocked.get(blocked);
        if (letGo === undefined) throw new Error(`${blocked} is not blocked`);
        this.#blocked.delete(blocked);
        return letGo();
      }
      case "show":
        if (command.what === "stuck") return this.#showStuck();
        if (command.what === "destinations") return this.#showDestinations();
        for (const gid of command.what.gids) this.#transcript.show(gid);
        return;
      case "hide":
      case "unhide":
        for (const gid of command.gids) this.#transcript.hide(gid, command.kind === "hide");
        return;
    }
  }

  #running(name: string): StoryNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`${name} is not running`);
    return node;
  }

  async #start(name: string): Promise<void> {
    const life = (this.#lives.get(name) ?? 0) + 1;
    this.#lives.set(name, life);
    const node = new StoryNode({
      name,
      life,
      clock: this.#clock,
      store: this.#store,
      services: this.#services,
      topics: this.#topics,
      settings: this.#settings(),
      events: this.#events,
    });
    this.#nodes.set(name, node);
    await node.core.start();
    await settle();
  }

  #ask(asked: Asked, node: StoryNode): void {
    const waiting = this.#unanswered.get(node) ?? new Set();
    this.#unanswered.set(node, waiting.add(asked));
    const heard = (answer: string): void => {
      if (node.alive && waiting.delete(asked)) this.#transcript.heard(asked.label, gidOf(asked), answer);
    };
    request(node, asked).then(
      (answer) => heard(answer),
      (cause: unknown) => heard(cause instanceof Refusal ? `${cause.form.http} ${cause.code} ${cause.message}` : String(cause)),
    );
  }

  async #until(gid: string, status: string): Promise<void> {
    const end = this.#clock.now() + LONGEST_WAIT;
    await settle();
    while (this.#store.peek(gid)?.transaction.status !== status) {
      const next = this.#clock.nextAt();
      if (next === null || next > end) throw new Error(`${gid} is not ${status} within ${LONGEST_WAIT / 86_400_000} days`);
      this.#clock.fireNext();
      await settle();
    }
  }

  #stop(node: StoryNode, graceMs: number | null): void {
    const deadline = new AbortController();
    if (graceMs !== null) this.#clock.after(graceMs, () => deadline.abort());
    node.core.stop(deadline.signal).then(
      () => this.#gone(node, "has stopped"),
      (cause: unknown) => this.#transcript.say(`* ${node.name} did not stop: ${String(cause)}`),
    );
  }

  #gone(node: StoryNode, how: string): void {
    this.#nodes.delete(node.name);
    this.#transcript.say(`* ${node.name} ${how}`);
    for (const asked of this.#unanswered.get(node) ?? []) this.#transcript.heard(asked.label, gidOf(asked), "no answer");
  }

  async #showStuck(): Promise<void> {
    const { stuck, unfinished } = await this.#store.summary(toStuckAsk(this.#settings(), this.#clock.now()));
    this.#transcript.say(`= ${stuck} stuck of ${unfinished} unfinished`);
  }

  #showDestinations(): void {
    for (const [name, node] of this.#nodes) {
      const views = [...node.core.destinations.view()].map(
        ({ destination, open }) => `${destination} ${open ? "is down" : "answers"}`,
      );
      this.#transcript.say(`= for ${name}: ${views.length === 0 ? "none known" : views.join(", ")}`);
    }
  }

  #setting(setting: string, value: number): void {
    if (this.#lives.size > 0) throw new Error("settings come before the first node starts");
    const [first = "", second] = setting.split(".");
    if (second === undefined) this.#set.engine[first] = value;
    else this.#set.types[first] = { ...this.#set.types[first], [second]: value };
  }

  #settings(): EngineSettings {
    const types: Partial<Record<string, Partial<TypeSettings>>> = this.#set.types;
    return settingsWith({ settings: this.#set.engine, types });
  }

  readonly #events: NodeEvents = {
    written: (node, _method, args) => this.#transcript.written(node.name, args),
    called: (node, call) => this.#transcript.called(node.name, call),
    answered: (node, call) => this.#transcript.answered(node.name, call, node.alive),
    alerted: (node, event) => this.#transcript.alerted(node.name, event),
    crashed: (node) => this.#gone(node, "crashes"),
    logged: (node, fields, event) => {
      if (TOLD_EVENTS.has(event)) this.#transcript.say(`* ${node.name} log: ${event}${details(fields)}`);
    },
  };
}

async function request(node: StoryNode, { ask }: Asked): Promise<string> {
  const { coordinator } = node.core;
  switch (ask.verb) {
    case "prepare":
      if (ask.input.type !== "workflow") await coordinator.prepare(ask.input);
      else return progress(await coordinator.prepareWorkflow(ask.input));
      return "ok";
    case "submit":
      await coordinator.submit(ask.input);
      return "ok";
    case "abort":
      await coordinator.abort(ask.input);
      return "ok";
    case "register":
      await coordinator.registerBranch(ask.input);
      return "ok";
    case "force-stop":
      await coordinator.forceStop(ask.gid, ask.reason);
      return "ok";
    case "nudge":
      await coordinator.resetNextCronTime(ask.gid);
      return "ok";
    case "reset-cron": {
      const { count, remaining } = await coordinator.resetCronTime(ask);
      return `${count} due now${remaining ? ", more remain" : ""}`;
    }
  }
}

type Progress = Awaited<ReturnType<StoryNode["core"]["coordinator"]["prepareWorkflow"]>>;

function progress({ transaction, branches }: Progress): string {
  const steps = branches.map(({ branchId, op, status }) => `${branchId} ${op} ${status}`);
  return `${transaction.status}, ${steps.length === 0 ? "no steps yet" : steps.join(", ")}`;
}

function gidOf({ ask }: Asked): string {
  if ("input" in ask) return ask.input.gid;
  return "gid" in ask ? ask.gid : "";
}

/** Whom it concerns and why, of a log line's fields. */
function details(fields: object): string {
  const shown = Object.entries(fields).map(([name, value]) =>
    value instanceof Error
      ? `(${value.message})`
      : name === "gid" || name === "destination"
        ? String(value)
        : `${name} ${String(value)}`,
  );
  return shown.length === 0 ? "" : `, ${shown.join(" ")}`;
}
