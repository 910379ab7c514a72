// One transfer between the two banks as a saga, and its story as the banks and the coordinator saw it.
import { setTimeout as pause } from "node:timers/promises";
import { bold, cents, dim, green, red, say, Trouble, yellow } from "./terminal.mjs";

const END_MS = 60_000;

/** `places`: { api, headers, banks: { a, b } }; `from` is an account of bank A, `to` one of bank B. */
export async function transfer(places, { from, to, amount }) {
  const { a, b } = places.banks;
  const { gid } = await ask(places, "newGid");
  const before = await balances(places, { from, to });
  await submit(places, {
    gid,
    trans_type: "saga",
    steps: [
      { action: `${a}/saga/debit`, compensate: `${a}/saga/debit-undo` },
      { action: `${b}/saga/credit`, compensate: `${b}/saga/credit-undo` },
    ],
    payloads: [JSON.stringify({ account: from, amount }), JSON.stringify({ account: to, amount })],
    wait_result: true,
  });
  const transaction = await ended(places, gid);
  const after = await balances(places, { from, to });
  return { gid, amount, from, to, before, after, transaction, calls: await calls(places, gid) };
}

/** 409 is an answer: the transfer was refused, and `query` knows the rest. */
async function submit({ api, headers }, body) {
  const answer = await fetch(`${api}/submit`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (answer.status !== 200 && answer.status !== 409) throw new Trouble(`submit answered ${answer.status}: ${text}`);
}

async function ended(places, gid) {
  const deadline = performance.now() + END_MS;
  for (;;) {
    const { transaction } = await ask(places, `query?gid=${encodeURIComponent(gid)}`);
    if (transaction?.status === "succeed" || transaction?.status === "failed") return transaction;
    if (performance.now() > deadline) throw new Trouble(`the transaction ${gid} is still ${transaction?.status} after a minute.`);
    await pause(50);
  }
}

async function balances({ banks }, { from, to }) {
  return { from: await balance(banks.a, from), to: await balance(banks.b, to) };
}

export async function balance(bank, account) {
  return (await getJson(`${bank}/accounts/${account}`)).balance;
}

async function calls({ banks }, gid) {
  const journals = await Promise.all(
    [
      ["bank A", banks.a],
      ["bank B", banks.b],
    ].map(async ([bank, url]) => (await getJson(`${url}/journal?gid=${gid}`)).map((entry) => ({ bank, ...entry }))),
  );
  return journals.flat().sort((x, y) => x.at - y.at);
}

function ask({ api, headers }, path) {
  return getJson(`${api}/${path}`, headers);
}

async function getJson(url, headers = {}) {
  const answer = await fetch(url, { headers });
  if (!answer.ok) throw new Trouble(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

export function tell(title, story) {
  const { gid, amount, from, to, before, after, transaction } = story;
  say(bold(title));
  say(dim(`  ${cents(amount)} from ${from} (bank A) to ${to} (bank B), transaction ${gid}`));
  say();
  for (const [index, call] of story.calls.entries()) {
    const name = call.path.slice(call.path.lastIndexOf("/") + 1);
    say(`  ${mark(call)} ${call.bank}  ${name.padEnd(12)} ${happened(call, story, index)}`);
  }
  const undone = transaction.status === "failed";
  say(
    `  ${undone ? yellow("↩") : green("✓")} the saga ended as ${bold(`"${transaction.status}"`)}${undone ? ": nothing of it is left" : ""}`,
  );
  say();
  say(dim(`  ${"".padEnd(16)}${"before".padStart(14)}${"after".padStart(14)}`));
  say(row(`${from}, bank A`, before.from, after.from));
  say(row(`${to}, bank B`, before.to, after.to));
  say();
}

function mark({ path, did }) {
  if (did === "refused") return red("✗");
  return path.endsWith("-undo") ? yellow("↩") : green("✓");
}

function happened({ path, did, why }, { amount, from, to, calls }, index) {
  const undo = path.endsWith("-undo");
  if (did === "refused") return `refused: ${why}`;
  if (did === "skipped") {
    const again = calls.slice(0, index).some((earlier) => earlier.path === path && earlier.did === "ran");
    return undo && !again
      ? "nothing to undo, the barrier saw that no credit had happened"
      : "a repeated call, the barrier let nothing happen twice";
  }
  switch (path) {
    case "/saga/debit":
      return `${from} pays ${cents(amount)}`;
    case "/saga/credit":
      return `${to} gets ${cents(amount)}`;
    case "/saga/debit-undo":
      return `${from} gets the ${cents(amount)} back`;
    default:
      return `${to} gives the ${cents(amount)} back`;
  }
}

function row(name, before, after) {
  const change = after - before;
  const shown = change === 0 ? dim("unchanged") : `${change > 0 ? "+" : ""}${cents(change)}`;
  return `  ${name.padEnd(16)}${cents(before).padStart(14)}${cents(after).padStart(14)}   ${shown}`;
}
