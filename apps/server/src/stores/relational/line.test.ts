import type { Session } from "./database.js";
import { Line } from "./line.js";

const PATIENCE_MS = 50;

test("a server that falls silent while it is connected to is given up, and its connection is cut should it come after all", async () => {
  const destroyed: string[] = [];
  const waiting: ((session: Session) => void)[] = [];
  const line = new Line(() => new Promise((resolve) => waiting.push(resolve)), PATIENCE_MS);
  await expect(line.session()).rejects.toMatchObject({
    name: "StoreUnavailable",
    message: "the database can't be reached: no answer in time",
  });
  expect(waiting.length).toBeGreaterThan(0);
  for (const [index, resolve] of waiting.entries()) resolve({ destroy: () => destroyed.push(`${index}`) } as unknown as Session);
  await new Promise((resolve) => setImmediate(resolve));
  expect(destroyed).toEqual(waiting.map((_, index) => `${index}`));
});
