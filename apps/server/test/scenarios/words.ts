/** One command's words with their place, so that whatever isn't understood is refused by file and line. */

export interface Place {
  readonly file: string;
  readonly line: number;
}

export class StoryError extends Error {
  override readonly name = "StoryError";
  constructor({ file, line }: Place, message: string) {
    super(`${file}:${line}: ${message}`);
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

export class Words {
  readonly #words: string[];

  /** Words end at blanks; a part in double quotes may hold some. */
  constructor(
    readonly place: Place,
    readonly text: string,
  ) {
    this.#words = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  }

  /** Others of the same place. */
  of(text: string): Words {
    return new Words(this.place, text);
  }

  get left(): number {
    return this.#words.length;
  }

  peek(): string {
    return this.#words[0] ?? "";
  }

  next(what: string): string {
    return this.#words.shift() ?? this.fail(`'${this.text}' ends where ${what} is expected`);
  }

  /** The word, when it is the next one. */
  took(word: string): boolean {
    if (this.peek() !== word) return false;
    this.#words.shift();
    return true;
  }

  oneOf<W extends string>(what: string, allowed: readonly W[]): W {
    const word = this.next(what);
    const found = allowed.find((each) => each === word);
    return found ?? this.fail(`'${word}' is no ${what}; expected ${allowed.join(", ")}`);
  }

  url(): string {
    const word = this.next("a URL");
    return word.startsWith("/") ? word : this.fail(`'${word}' is no URL; a URL begins with /`);
  }

  number(what: string): number {
    const word = this.next(what);
    const number = Number(word);
    return Number.isFinite(number) ? number : this.fail(`'${word}' is no ${what}`);
  }

  span(word = this.next("a span of time")): number {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(word) ?? [];
    const millis = UNITS[unit ?? ""];
    return millis === undefined ? this.fail(`'${word}' is no span of time: 500ms, 20s, 5m or 2h`) : Number(amount) * millis;
  }

  /** `g1`, or `g1..g9` for each of them. */
  gids(): string[] {
    const word = this.next("a gid");
    const range = /^([a-z]+)(\d+)\.\.\1(\d+)$/.exec(word);
    if (range === null) return [this.checkedGid(word)];
    const [first, last] = [Number(range[2]), Number(range[3])];
    if (first >= last) this.fail(`'${word}' runs backwards`);
    return Array.from({ length: last - first + 1 }, (_, index) => `${range[1]}${first + index}`);
  }

  gid(): string {
    return this.checkedGid(this.next("a gid"));
  }

  end(): void {
    if (this.left > 0) this.fail(`'${this.#words.join(" ")}' is not understood here`);
  }

  fail(message: string): never {
    throw new StoryError(this.place, message);
  }

  private checkedGid(word: string): string {
    return /^[a-z]\w*$/.test(word) ? word : this.fail(`'${word}' is no gid`);
  }
}
