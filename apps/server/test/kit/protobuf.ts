/** Protobuf by hand, so that a wire test sends and reads what an SDK would, not what our own generated code makes of it. */

export type Field = Buffer;

export function message(...fields: readonly Field[]): Buffer {
  return Buffer.concat(fields);
}

export function text(number: number, value: string): Field {
  return bytes(number, Buffer.from(value));
}

export function bytes(number: number, value: Uint8Array): Field {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(value.length)), value]);
}

export function nested(number: number, ...fields: readonly Field[]): Field {
  return bytes(number, message(...fields));
}

/** bool, int64 and the like; negative ones in ten bytes, as protobuf has it. */
export function whole(number: number, value: number | bigint | boolean): Field {
  return Buffer.concat([varint(BigInt(number * 8)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

/** One entry of a map<string, string>. */
export function entry(number: number, key: string, value: string): Field {
  return nested(number, text(1, key), text(2, value));
}

/** Every field of a message by its number, in the order found; varints as bigint. */
export function fieldsOf(encoded: Buffer): ReadonlyMap<number, readonly (Buffer | bigint)[]> {
  const fields = new Map<number, (Buffer | bigint)[]>();
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = encoded.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < encoded.length) {
    const tag = Number(next());
    const number = tag >> 3;
    const value = (tag & 7) === 0 ? next() : take(Number(next()));
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;

  function take(length: number): Buffer {
    at += length;
    return encoded.subarray(at - length, at);
  }
}

export function textsOf(encoded: Buffer, number: number): string[] {
  return buffersOf(encoded, number).map((value) => value.toString());
}

export function buffersOf(encoded: Buffer, number: number): Buffer[] {
  return (fieldsOf(encoded).get(number) ?? []).map((value) => {
    if (typeof value === "bigint") throw new Error(`field ${number} is a number`);
    return value;
  });
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let left = value;
  while (left >= 0x80n) {
    out.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  return Buffer.from([...out, Number(left)]);
}
