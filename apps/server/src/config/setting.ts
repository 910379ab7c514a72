/** What one setting is: how its text is read, its default, and one sentence for the reference page. */
import { isIP } from "node:net";
import { z } from "zod";

/** Every source (file, environment, flag) gives text, so that a quoted number and a plain one are the same (protocol.md 7.1). */
export interface Kind<T> {
  readonly type: z.ZodType<T, string>;
  /** Ends the sentence "expected …" when the text doesn't fit. */
  readonly expected: string;
}

export interface Spec<T> {
  readonly kind: Kind<T>;
  readonly initial: T;
  /** One sentence for the reference page. */
  readonly about: string;
  readonly unit?: string;
  /** Never printed, and may be read from the file named by `<NAME>_FILE`. */
  readonly secret?: true;
  /** Why a setting of dtm does nothing here: it is accepted, and said once at start. */
  readonly unused?: string;
}

/** A leaf of the settings' tree. A class, so that a leaf can be told from a branch. */
export class Setting<T> {
  constructor(readonly spec: Spec<T>) {}
}

export function setting<T>(kind: Kind<T>, spec: Omit<Spec<NoInfer<T>>, "kind">): Setting<T> {
  return new Setting({ kind, ...spec });
}

export const text: Kind<string> = { type: z.string(), expected: "a text" };

export const list: Kind<readonly string[]> = {
  type: z.string().transform((value) => value.split(",").flatMap((item) => item.trim() || [])),
  expected: "a list, or texts separated by commas",
};

/** Hosts, `*.domains`, addresses and CIDR ranges. */
export const places: Kind<readonly string[]> = {
  type: list.type.refine((entries) => entries.every(isPlace)),
  expected: "host names, *.domains, addresses or CIDR ranges, separated by commas",
};

export function whole(range: { readonly min: number; readonly max: number }): Kind<number> {
  return {
    type: z
      .string()
      .trim()
      .regex(/^[+-]?\d{1,15}$/)
      .transform(Number)
      .pipe(z.number().min(range.min).max(range.max)),
    expected: `a whole number from ${range.min} to ${range.max}`,
  };
}

export function share(): Kind<number> {
  return {
    type: z
      .string()
      .trim()
      .regex(/^\d*\.?\d+$/)
      .transform(Number)
      .pipe(z.number().min(0).max(1)),
    expected: "a number from 0 to 1",
  };
}

const YES = ["true", "1"] as const;
const NO = ["false", "0"] as const;

export const yesNo: Kind<boolean> = {
  type: z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum([...YES, ...NO]))
    .transform((value) => YES.some((yes) => yes === value)),
  expected: "true or false",
};

/** In any case, as Go's own words are read. */
export function anyCaseOf<const T extends string>(words: readonly [T, ...T[]]): Kind<T> {
  return { type: z.string().trim().toLowerCase().pipe(z.enum(words)), expected: `one of ${words.join(", ")}` };
}

export function oneOf<const T extends string>(words: readonly [T, ...T[]]): Kind<T> {
  return { type: z.enum(words), expected: `one of ${words.join(", ")}` };
}

/** What a transaction type may override: not set means "as the setting for all types". */
export function inherited<T>(kind: Kind<T>): Kind<T | null> {
  return { type: z.union([z.literal("").transform(() => null), kind.type]), expected: kind.expected };
}

export const webUrl: Kind<string> = {
  type: z
    .string()
    .trim()
    .refine((value) => value === "" || isWebUrl(value)),
  expected: "a http:// or https:// URL",
};

/** What may stand in a header as it is; anything else would never match what a client sends. */
export const token: Kind<string> = {
  type: z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]*$/),
  expected: "visible ASCII characters without spaces",
};

export const json: Kind<string> = {
  type: z.string().refine((value) => value.trim() === "" || isJson(value)),
  expected: "JSON text",
};

export const hours: Kind<string> = {
  type: z
    .string()
    .trim()
    .regex(/^([+-]?(0?\d|1[0-4]))?$/),
  expected: "hours from -14 to +14, as in +8",
};

function isPlace(entry: string): boolean {
  const [address = "", bits, ...more] = entry.split("/");
  const version = isIP(address);
  if (version === 0) return /^(\*\.)?[\w-]+(\.[\w-]+)*\.?$/.test(entry);
  return more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)));
}

function isWebUrl(value: string): boolean {
  return URL.canParse(value) && ["http:", "https:"].includes(new URL(value).protocol);
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
