/** How many fields a protobuf message has, told without decoding them: four mebibytes hold two million, and decoding those takes seconds. */

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;
const FOUR_BYTES = 5;

/** Counts those at the top. What isn't a message is left to the decoder, which says why. */
export function hasMoreFields(bytes: Uint8Array, most: number): boolean {
  let at = 0;
  for (let count = 1; at < bytes.length; count++) {
    if (count > most) return true;
    const kind = (bytes[at] ?? 0) & 7;
    at = behindVarint(bytes, at);
    switch (kind) {
      case VARINT:
        at = behindVarint(bytes, at);
        break;
      case EIGHT_BYTES:
        at += 8;
        break;
      case LENGTH:
        at = behindVarint(bytes, at) + varintAt(bytes, at);
        break;
      case FOUR_BYTES:
        at += 4;
        break;
      default:
        return false;
    }
  }
  return false;
}

function behindVarint(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

/** Exact below 2^53, and never negative: a longer one ends the message anyhow. */
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
