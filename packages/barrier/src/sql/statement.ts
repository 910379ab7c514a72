/** What the barrier says to a database, in a form that every driver's placeholders can be put into. */

/** The three languages that the barrier speaks. MariaDB counts as `mysql`. */
export type Dialect = "postgres" | "mysql" | "sqlite";

export type Row = Readonly<Record<string, unknown>>;

/** A statement with its values left out: between two neighbouring parts stands one value. */
export interface Statement {
  readonly parts: readonly string[];
  /** Made for this statement alone: a driver gets the array as it is. */
  readonly values: (string | number)[];
  /** The same text at every call: worth a name, under which a connection's server parses it once. */
  readonly name?: string | undefined;
  /** What its reply is read for; ORMs have different calls for them. */
  readonly expects: "rows" | "affected" | "nothing";
}

/** What a driver answered. */
export interface Reply {
  /** Absent when it isn't a list of records, whatever else it is: no rows and an answer that isn't understood are not the same. */
  readonly rows?: readonly Row[] | undefined;
  /** Rows inserted or deleted; absent when the driver doesn't say. */
  readonly affected?: number | undefined;
  /** What stands for the id of the first row that was inserted; absent when the driver doesn't say. */
  readonly rowId?: Raw | undefined;
  /** Whether a transaction is open after the statement; absent when the driver doesn't say. */
  readonly open?: boolean | undefined;
}

/** `aborted`: a statement failed, and the database would turn the commit into a rollback. `ended`: it is open no more. */
export type Left = "open" | "aborted" | "ended";

/** A connection, or an open transaction on it, as the barrier uses it. */
export interface Executor<Answer = PromiseLike<Reply> | Reply> {
  readonly dialect: Dialect;
  /** Whether a transaction is open; `"unasked"` when only the server can tell. */
  readonly open: boolean | "unasked";
  /** The insert's reply is to say which process of PostgreSQL answered, in a column `pid`. */
  readonly asksPid?: boolean | undefined;
  /** The insert's reply only counts, though the database could list what was inserted: one message of the server less. */
  readonly counts?: boolean | undefined;
  /** What the work left of the transaction, as far as the driver knows without asking; absent when it doesn't. */
  readonly left?: (() => PromiseLike<Left> | Left) | undefined;
  send(statement: Statement): Answer;
}

/** Tagged template: `` rows`select … where gid = ${gid}` ``. What is interpolated as {@link Raw} becomes part of the text. */
export type Tag = (strings: TemplateStringsArray, ...values: readonly (string | number | Raw)[]) => Statement;

/** Text of the statement itself, such as a checked table name. */
export class Raw {
  constructor(readonly text: string) {}
}

export const rows: Tag = tag("rows");
export const affected: Tag = tag("affected");
export const nothing: Tag = tag("nothing");

function tag(expects: Statement["expects"]): Tag {
  return (strings, ...given) => {
    const parts = [strings[0] ?? ""];
    const values: (string | number)[] = [];
    given.forEach((value, i) => {
      const after = strings[i + 1] ?? "";
      if (value instanceof Raw) parts.push(`${parts.pop() ?? ""}${value.text}${after}`);
      else {
        values.push(value);
        parts.push(after);
      }
    });
    return { parts, values, expects };
  };
}

const QUESTIONED = new WeakMap<readonly string[], string>();

/** With `?` for every value. */
export function withQuestionMarks({ parts }: Statement): string {
  const known = QUESTIONED.get(parts);
  if (known !== undefined) return known;
  const text = parts.join("?");
  QUESTIONED.set(parts, text);
  return text;
}

const NUMBERED = new WeakMap<readonly string[], string>();

/** With `$1`, `$2`, … */
export function withNumbers({ parts }: Statement): string {
  const known = NUMBERED.get(parts);
  if (known !== undefined) return known;
  const text = parts.reduce((before, part, i) => `${before}$${i}${part}`);
  NUMBERED.set(parts, text);
  return text;
}

/** As the dialect's own drivers want it. */
export function inDialect(dialect: Dialect, statement: Statement): string {
  return dialect === "postgres" ? withNumbers(statement) : withQuestionMarks(statement);
}

/** The rows of an answer that should be a list of records; undefined for anything else. */
export function rowsOf(answer: unknown): readonly Row[] | undefined {
  return Array.isArray(answer) && answer.every(isRecord) ? answer : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
