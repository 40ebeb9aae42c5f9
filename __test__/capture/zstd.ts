// Zstandard data without a compressor, which Node has only since version 22.15: blocks of the format that hold their
// bytes as they are, or one byte that is repeated.

const LONGEST_BLOCK = 0x20000;
const MAGIC = 0xfd2fb528;

function block(type: number, size: number, content: Uint8Array, isLast: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | Number(isLast), 0, 3);
  return Buffer.concat([header, content]);
}

export const rawBlock = (text: string | Uint8Array, isLast: boolean): Buffer => {
  const bytes = Buffer.from(text);
  return block(0, bytes.length, bytes, isLast);
};

/** A block that stands for so many equal bytes. */
export const runBlock = (size: number, isLast: boolean): Buffer => block(1, size, Buffer.from(' '), isLast);

export function frame(blocks: Uint8Array, { windowLog = 21, checksum = undefined as number | undefined } = {}): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt32LE(MAGIC);
  header[4] = checksum === undefined ? 0 : 4;
  header[5] = (windowLog - 10) << 3;
  const end = Buffer.alloc(checksum === undefined ? 0 : 4, checksum);
  return Buffer.concat([header, blocks, end]);
}

export function compressed(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  const blocks: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += LONGEST_BLOCK) {
    const end = at + LONGEST_BLOCK;
    blocks.push(rawBlock(bytes.subarray(at, end), end >= bytes.length));
  }
  return frame(Buffer.concat(blocks));
}
