/** What comes back of a value that was kept as JSON. */

/**
 * What `JSON.parse(JSON.stringify(value))` gives of a `T`: a `Date` comes back as the text of its `toJSON`, methods and members that are
 * undefined don't come back, and what is refused with PAYLOAD_INVALID, like a `Map` or a bigint, is `never`. A type that JSON carries as it is
 * stays itself.
 */
export type AsJson<T> = unknown extends T
  ? T
  : [T] extends [Carried<T>]
    ? [Carried<T>] extends [T]
      ? T
      : Carried<T>
    : Carried<T>;

/** The same, member by member. */
type Carried<T> = T extends Lossless
  ? T
  : T extends Refused
    ? never
    : T extends { toJSON(key: string): infer Written }
      ? Plain<Written>
      : Plain<T>;

/** Without its `toJSON`, which is called once only. */
type Plain<T> = T extends Lossless
  ? T
  : T extends Refused
    ? never
    : T extends readonly unknown[]
      ? Items<T>
      : T extends object
        ? Members<T>
        : T;

type Lossless = string | number | boolean | null | undefined;

type Callable = ((...given: never) => unknown) | (abstract new (...given: never) => unknown);

/** An error isn't among them: every object with a name and a message would be one. */
type Refused =
  | bigint
  | symbol
  | Callable
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | Promise<unknown>
  | RegExp
  | ArrayBuffer
  | ArrayBufferView;

/** An item that is undefined is refused. */
type Items<T extends readonly unknown[]> = { [Index in keyof T]: Carried<Exclude<T[Index], undefined>> };

type Members<T> = Flat<
  { [Key in keyof T as Presence<T, Key> extends "declared" ? Key : never]: Carried<T[Key]> } & {
    [Key in keyof T as Presence<T, Key> extends "maybe" ? Key : never]?: Carried<Exclude<T[Key], undefined>>;
  }
>;

type Presence<T, Key extends keyof T> = Key extends symbol
  ? "none"
  : unknown extends T[Key]
    ? "declared"
    : [Exclude<T[Key], undefined>] extends [Callable | symbol]
      ? "none"
      : undefined extends T[Key]
        ? Pick<T, Key> extends Required<Pick<T, Key>>
          ? "maybe"
          : "declared"
        : "declared";

/** One object, so that messages of the compiler can be read. */
type Flat<T> = { [Key in keyof T]: T[Key] };
