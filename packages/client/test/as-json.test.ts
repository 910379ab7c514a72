/** The types of what a workflow's steps return are those of what comes back from JSON. */
import type { AsJson, Workflow } from "../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>): void => undefined;

interface User {
  readonly id: number;
  name: string;
  readonly tags: readonly string[];
  readonly nickname?: string;
  readonly parent?: User | undefined;
  readonly children: User[];
  readonly extra: unknown;
  readonly kind: "admin" | "guest" | null;
}

interface Dated {
  readonly at: Date;
  readonly next: readonly Dated[];
}

class Account {
  readonly #secret = 1;
  constructor(
    readonly id: number,
    readonly opened: Date,
  ) {}
  describe(): string {
    return `${this.id} ${this.#secret}`;
  }
}

class Money {
  constructor(readonly cents: number) {}
  toJSON(): { readonly cents: number; readonly at: Date } {
    return { cents: this.cents, at: new Date() };
  }
}

type Name = string & { readonly brand: "name" };

export function whatComesBack(): void {
  same<AsJson<User>, User>(true);
  same<AsJson<User[]>, User[]>(true);
  same<AsJson<readonly [number, string?]>, readonly [number, string?]>(true);
  same<AsJson<Record<string, number>>, Record<string, number>>(true);
  same<AsJson<"a" | 5 | true | null | undefined>, "a" | 5 | true | null | undefined>(true);
  same<AsJson<Name>, Name>(true);
  same<AsJson<void>, void>(true);
  same<AsJson<unknown>, unknown>(true);
  same<AsJson<never>, never>(true);
  same<AsJson<Promise<User>>, never>(true);

  same<AsJson<Date>, string>(true);
  same<AsJson<Date | null>, string | null>(true);
  same<AsJson<{ d: Date; readonly n: number }>, { d: string; readonly n: number }>(true);
  same<AsJson<{ d?: Date }>, { d?: string }>(true);
  same<AsJson<[Date, number]>, [string, number]>(true);
  same<AsJson<Date[]>, string[]>(true);
  same<AsJson<Record<string, Date>>, { [name: string]: string }>(true);
  same<AsJson<{ m: number | undefined; u: undefined }>, { m?: number }>(true);
  same<AsJson<{ n: number; run(): void; later?: () => void; [Symbol.iterator]: number }>, { n: number }>(true);
  same<AsJson<AsJson<{ d: Date }>>, { d: string }>(true);
  same<AsJson<Account>, { readonly id: number; readonly opened: string }>(true);
  same<AsJson<Money>, { readonly cents: number; readonly at: string }>(true);
  same<AsJson<{ error: { name: string; message: string } }>, { error: { name: string; message: string } }>(true);
  same<AsJson<{ kind: "a"; at: Date } | { kind: "b" }>, { kind: "a"; at: string } | { kind: "b" }>(true);

  same<AsJson<Map<string, number>>, never>(true);
  same<AsJson<{ s: Set<string> }>, { s: never }>(true);
  same<AsJson<Uint8Array>, never>(true);
  same<AsJson<Buffer>, never>(true);
  same<AsJson<bigint | number>, number>(true);
}

export async function whatAStepReturns(wf: Workflow, dated: Dated, user: User): Promise<void> {
  const { d, m } = await wf.local(() => ({ d: new Date(), m: undefined as number | undefined }));
  const text: string = d;
  // @ts-expect-error it comes back as text
  const date: Date = d;
  const maybe: number | undefined = m;
  const kept: User = await wf.local(async () => user);
  const nested: string | undefined = (await wf.local(() => dated)).next[0]?.next[0]?.at;
  // @ts-expect-error … at any depth
  const nestedDate: Date | undefined = (await wf.local(() => dated)).next[0]?.next[0]?.at;
  const nothing: undefined = await wf.local(() => undefined);
  await Promise.all([text, date, maybe, kept, nested, nestedDate, nothing]);
}

test("what JSON carries is what these types say", () => {
  const account = JSON.parse(JSON.stringify(new Account(1, new Date(0)))) as AsJson<Account>;
  expect(account).toEqual({ id: 1, opened: "1970-01-01T00:00:00.000Z" });
  const money = JSON.parse(JSON.stringify(new Money(5))) as AsJson<Money>;
  expect(money).toEqual({ cents: 5, at: expect.any(String) as unknown });
});
