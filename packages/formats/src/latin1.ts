/** UTF-8 to text, where all of it is Latin-1: four bytes at a time as far as they are ASCII. */

/** Pieces are of 32 KiB; only a single record may be longer, and is decoded otherwise. */
const target: Buffer = Buffer.allocUnsafeSlow(32 << 10);
const targetView: DataView = new DataView(target.buffer, target.byteOffset, target.length);
const NOT_ASCII = 0x80808080;
/** U+0080 to U+00FF, the letters of Latin-1 beyond ASCII, begin with one of these two. */
const FIRST_LEAD = 0xc2;
const LAST_LEAD = 0xc3;

/**
 * The text of `bytes`; `undefined` where they are no UTF-8, a letter is beyond Latin-1, or there are too many of them.
 * Its characters take one byte each, and no memory is needed on the way.
 */
export function decodeLatin1(bytes: Buffer): string | undefined {
  const { length } = bytes;
  if (length > target.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const lastFour = length - 4;
  let from = 0;
  let to = 0;
  while (from < length) {
    if (from <= lastFour) {
      const four = view.getInt32(from, true);
      if ((four & NOT_ASCII) === 0) {
        targetView.setInt32(to, four, true);
        from += 4;
        to += 4;
        continue;
      }
    }
    let byte = bytes[from++] as number;
    while (byte < 0x80 && from < length) {
      target[to++] = byte;
      byte = bytes[from++] as number;
    }
    if (byte >= 0x80) {
      // Behind the last byte there is none, which is no continuation either.
      const next = from < length ? (bytes[from++] as number) : 0;
      if (byte < FIRST_LEAD || byte > LAST_LEAD || (next & 0xc0) !== 0x80) return undefined;
      byte = ((byte & 0x03) << 6) | (next & 0x3f);
    }
    target[to++] = byte;
  }
  return target.toString('latin1', 0, to);
}
