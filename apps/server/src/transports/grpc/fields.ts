/** How many fields a protobuf message has, told without decoding them: four mebibytes hold two million, and decoding those takes seconds. */

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;
const FOUR_BYTES = 5;

/** Of DtmRequest, TransOptions: the one message within a request, and it holds a map. */
const WITHIN = 3;

export type Fields = "few" | "too many" | "broken";

/**
 * Counts those of a request and of its options. Broken is what isn't a message of proto3: groups, and lengths beyond the end, which a lenient
 * decoder passes over by its own rules, and goes on decoding behind them.
 */
export function fieldsOf(bytes: Uint8Array, most: number): Fields {
  const counted = count(bytes, most, true);
  return typeof counted === "number" ? "few" : counted;
}

function count(bytes: Uint8Array, most: number, descend: boolean): number | Exclude<Fields, "few"> {
  let at = 0;
  let fields = 0;
  while (at < bytes.length) {
    if (++fields > most) return "too many";
    const tag = varintAt(bytes, at);
    at = behindVarint(bytes, at);
    switch (tag % 8) {
      case VARINT:
        at = behindVarint(bytes, at);
        break;
      case EIGHT_BYTES:
        at += 8;
        break;
      case LENGTH: {
        const from = behindVarint(bytes, at);
        at = from + varintAt(bytes, at);
        if (at > bytes.length) return "broken";
        if (!descend || Math.floor(tag / 8) !== WITHIN) break;
        // In other requests it may be a text; only a count that is too large says something there.
        const within = count(bytes.subarray(from, at), most - fields, false);
        if (within === "too many") return within;
        if (within !== "broken") fields += within;
        break;
      }
      case FOUR_BYTES:
        at += 4;
        break;
      default:
        return "broken";
    }
  }
  return at > bytes.length ? "broken" : fields;
}

function behindVarint(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

/** Exact below 2^53, and never negative: a longer one is beyond the end anyhow. */
function varintAt(bytes: Uint8Array, from: number): number {
  let value = 0;
  let scale = 1;
  for (let at = from; ; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
}
