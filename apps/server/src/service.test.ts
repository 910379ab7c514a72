import { runUntil, type Service } from "./service.js";

function journal() {
  const said: string[] = [];
  const service = (name: string, trouble: { start?: Error; stop?: Error } = {}): Service => ({
    name,
    async start() {
      said.push(`${name} starts`);
      if (trouble.start) throw trouble.start;
    },
    async stop() {
      said.push(`${name} stops`);
      if (trouble.stop) throw trouble.stop;
    },
  });
  return { said, service };
}

const never = new Promise<never>(() => undefined);

test("starts in order, stops in reverse", async () => {
  const { said, service } = journal();
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  await runUntil(stopped, [service("store"), service("http")], { graceMs: 1, started: () => stop() });
  expect(said).toEqual(["store starts", "http starts", "http stops", "store stops"]);
});

test("a half-way start stops what had begun, the one that failed too", async () => {
  const { said, service } = journal();
  const cause = new Error("port in use");
  const run = runUntil(never, [service("store"), service("http", { start: cause }), service("more")], { graceMs: 1 });
  await expect(run).rejects.toMatchObject({ errors: [cause] });
  expect(said).toEqual(["store starts", "http starts", "http stops", "store stops"]);
});

test("a half-way start waits for nothing that can't be under way", async () => {
  const { service } = journal();
  const waiting: Service = {
    ...service("grpc"),
    stop: (deadline) => new Promise((resolve) => deadline.addEventListener("abort", () => resolve(), { once: true })),
  };
  const began = performance.now();
  const run = runUntil(never, [waiting, service("http", { start: new Error("port in use") })], { graceMs: 60_000 });
  await expect(run).rejects.toThrow();
  expect(performance.now() - began).toBeLessThan(3_000);
});

test("one that never stops doesn't keep the others, and is named", async () => {
  const { said, service } = journal();
  const hanging: Service = { ...service("store"), stop: () => never };
  const run = runUntil(never, [service("log"), hanging, service("http", { start: new Error("port in use") })], { graceMs: 1 });
  await expect(run).rejects.toMatchObject({
    errors: [new Error("port in use"), new Error("store did not stop in time")],
  });
  expect(said.at(-1)).toBe("log stops");
}, 10_000);

test("a stop during the start takes effect between two services", async () => {
  const { said, service } = journal();
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const slow: Service = { ...service("slow"), start: async () => stop() };
  const started = jest.fn();
  await runUntil(stopped, [slow, service("http")], { graceMs: 1, started });
  expect(said).toEqual(["slow stops"]);
  expect(started).not.toHaveBeenCalled();
});

test("one that doesn't stop cleanly keeps nobody else from stopping, and is told", async () => {
  const { said, service } = journal();
  const cause = new Error("stuck");
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const run = runUntil(stopped, [service("store"), service("http", { stop: cause })], { graceMs: 1, started: () => stop() });
  await expect(run).rejects.toMatchObject({ errors: [cause] });
  expect(said.slice(-2)).toEqual(["http stops", "store stops"]);
});

test("what breaks while running stops everything and is told", async () => {
  const { said, service } = journal();
  const cause = new Error("the store's worker is gone");
  let fail = (_: Error): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const run = runUntil(stopped, [service("store")], { graceMs: 1, started: () => fail(cause) });
  await expect(run).rejects.toMatchObject({ errors: [cause] });
  expect(said).toEqual(["store starts", "store stops"]);
});
