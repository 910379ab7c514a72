// What a person sees: colours where they help, one line per long step with the time it took, money in columns.
import process from "node:process";

const { stdout } = process;
const live = stdout.isTTY === true && process.env.TERM !== "dumb";
const coloured = live && !process.env.NO_COLOR;
const paint = (code) => (text) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

export function say(line = "") {
  stdout.write(`${line}\n`);
}

/** How long something took, short enough for a column. */
export function duration(ms) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
}

const LABEL_WIDTH = 48;
/** Without a terminal nothing can be redrawn, so a long step says now and then that it is still alive. */
const STILL_MS = 20_000;

/** Runs `work` under one line that shows the time passing; `note` of the answer stands behind it. */
export async function step(label, work) {
  const begin = performance.now();
  const elapsed = () => duration(performance.now() - begin);
  const draw = (mark, time) => `  ${mark} ${label.padEnd(LABEL_WIDTH)} ${time}`;
  if (live) stdout.write(draw(dim("…"), ""));
  const tick = live
    ? setInterval(() => stdout.write(`\r${draw(dim("…"), dim(elapsed()))}`), 100)
    : setInterval(() => say(draw("…", elapsed())), STILL_MS);
  const end = (mark) => {
    clearInterval(tick);
    say(`${live ? "\r\u001b[2K" : ""}${draw(mark, dim(elapsed()))}`);
  };
  try {
    const result = await work();
    end(green("✓"));
    return result;
  } catch (cause) {
    end(red("✗"));
    throw cause;
  }
}

/** Something to tell the user instead of a stack: one line, and what it rests on below. */
export class Trouble extends Error {
  constructor(message, details = "") {
    super(message);
    this.details = details;
  }
}

/** The end of a script that can't go on. */
export function giveUp(cause) {
  if (!(cause instanceof Trouble)) throw cause;
  stdout.write(`${red("✗")} ${cause.message}\n`);
  if (cause.details !== "") stdout.write(`\n${cause.details.trimEnd()}\n`);
  process.exit(1);
}

const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2 });

/** Cents as people write them. */
export function cents(amount) {
  return money.format(amount / 100);
}
