import { gzipSync } from 'node:zlib';
import { FormatError, Gzip, gunzip, isGzip, lines, ndjson } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';
import { takeAll } from './decode.ts';

const MEBIBYTE = 1 << 20;

/** Text that deflate cannot make much of, so that a cut falls after output. */
function noise(bytes: number): Buffer {
  const all = Buffer.alloc(bytes);
  let state = 1;
  for (let index = 0; index < bytes; index++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    all[index] = index % 50 === 49 ? 10 : 33 + ((state >>> 16) % 90);
  }
  return all;
}

const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

async function read(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options?: object) {
  const parts: Uint8Array[] = [];
  try {
    for await (const chunk of gunzip(chunks, options)) parts.push(chunk);
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  return { bytes: Buffer.concat(parts), error: undefined };
}

describe('isGzip', () => {
  it('knows gzip by its first two bytes', () => {
    expect(isGzip(gzipSync('x'))).toBe(true);
    expect(isGzip(Buffer.from('{"a":1}'))).toBe(false);
    expect(isGzip(Uint8Array.of(0x1f))).toBe(false);
    expect(isGzip(new Uint8Array(0))).toBe(false);
  });
});

describe('gunzip', () => {
  it('gives what was compressed, in chunks of at most 256 KiB, wherever the input is cut', async () => {
    const plain = noise(600_000);
    const packed = gzipSync(plain);
    for (const size of [1009, 65_536, packed.length]) {
      const { bytes, error } = await read(cut(packed, size));
      expect(error).toBeUndefined();
      expect(bytes.equals(plain)).toBe(true);
    }
    for await (const chunk of gunzip([packed])) expect(chunk.length).toBeLessThanOrEqual(256 << 10);
  });

  it('33: reads members one after the other, and takes zeros behind them for padding', async () => {
    const members = Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]);
    for (const size of [1, 7, 1000]) {
      expect((await read(cut(members, size))).bytes.toString()).toBe('one\ntwo\n');
      const padded = await read(cut(Buffer.concat([members, Buffer.alloc(600)]), size));
      expect(padded).toEqual({ bytes: Buffer.from('one\ntwo\n'), error: undefined });
    }
  });

  it('33: fails at garbage behind a member, at a damaged checksum and at what is no gzip', async () => {
    const packed = gzipSync(noise(300_000));
    const damaged = Buffer.from(packed);
    damaged.writeUInt32LE((damaged.readUInt32LE(packed.length - 8) ^ 1) >>> 0, packed.length - 8);
    for (const bytes of [
      Buffer.concat([packed, Buffer.from('garbage')]),
      damaged,
      Buffer.from('plain text'),
    ]) {
      const { error } = await read(cut(bytes, 4096));
      expect(error).toBeInstanceOf(FormatError);
      expect(error).toMatchObject({ code: 'SW_FORMAT_GZIP_INVALID', cause: { code: 'Z_DATA_ERROR' } });
    }
  });

  it('32: fails where the data is cut off, wherever that is, and the offset stays behind the last whole record', async () => {
    const plain = noise(400_000);
    const packed = gzipSync(plain);
    for (const length of [1, 9, 200_000, packed.length - 8, packed.length - 1]) {
      const decoder = lines().decoder();
      const items: string[] = [];
      const run = async (): Promise<void> => {
        for await (const chunk of gunzip(cut(packed.subarray(0, length), 8192))) {
          decoder.push(chunk);
          takeAll(decoder, items, 1000);
        }
        decoder.end();
      };
      await expect(run()).rejects.toMatchObject({
        code: 'SW_FORMAT_GZIP_TRUNCATED',
        cause: { code: 'Z_BUF_ERROR' },
      });
      expect(items.every((item) => item.length === 49)).toBe(true);
      expect(decoder.offset).toBe(items.length * 50);
    }
  });

  it('takes nothing at all for gzip without a member: it has no bytes', async () => {
    for (const chunks of [[], [new Uint8Array(0)]])
      expect(await read(chunks)).toEqual({ bytes: Buffer.alloc(0), error: undefined });
    expect(await read([], { skipBytes: 5 })).toEqual({ bytes: Buffer.alloc(0), error: undefined });
  });

  it('34: stops a bomb by its ratio, and by maxBytes where asked to', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE));
    const byRatio = await read([bomb]);
    expect(byRatio.error).toMatchObject({ code: 'SW_FORMAT_GZIP_BOMB' });
    expect(byRatio.bytes.length).toBeLessThanOrEqual(17 * MEBIBYTE);
    const byBytes = await read([bomb], { maxBytes: 1000, maxRatio: 2000 });
    expect(byBytes).toMatchObject({
      bytes: Buffer.alloc(0),
      error: { code: 'SW_FORMAT_GZIP_BOMB', offset: 1000 },
    });
    expect((await read([gzipSync(noise(1000))], { maxBytes: 999 })).error).toMatchObject({ offset: 999 });
    expect((await read([gzipSync(noise(1000))], { maxBytes: 1000 })).error).toBeUndefined();
    expect((await read([bomb], { maxRatio: 1100 })).bytes).toHaveLength(64 * MEBIBYTE);
  });

  it('goes on at an offset', async () => {
    const plain = noise(600_000);
    for (const skipBytes of [1, 262_144, 599_999, 600_000, 700_000]) {
      const { bytes } = await read([gzipSync(plain)], { skipBytes });
      expect(bytes.equals(plain.subarray(skipBytes))).toBe(true);
    }
  });

  it('throws what its input throws, as it is', async () => {
    const reason = new Error('the disk is gone');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield gzipSync(noise(100_000)).subarray(0, 50_000);
      throw reason;
    }
    expect((await read(broken())).error).toBe(reason);
  });

  it('closes its input when the iteration is left early, and reads no further ahead than it must', async () => {
    let pulled = 0;
    let isClosed = false;
    const packed = gzipSync(noise(MEBIBYTE));
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          pulled++;
          yield packed;
          await Promise.resolve();
        }
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of gunzip(endless())) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      break;
    }
    expect(pulled).toBeLessThan(5);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(true);
  });

  it('is done with a chunk when it asks for the next', async () => {
    const plain = noise(MEBIBYTE);
    async function* reusing(): AsyncGenerator<Uint8Array> {
      const memory = Buffer.alloc(100_000);
      for (const chunk of cut(gzipSync(plain), memory.length)) {
        memory.set(chunk);
        yield memory.subarray(0, chunk.length);
        memory.fill(0);
      }
    }
    const { bytes, error } = await read(reusing());
    expect(error).toBeUndefined();
    expect(bytes.equals(plain)).toBe(true);
  });

  it('checks its options at once', () => {
    expect(() => gunzip([], { maxRatio: 0 })).toThrow(/maxRatio must be/);
    expect(() => gunzip([], { max: 1 } as object)).toThrow(/gunzip\.max must be/);
  });
});

describe('Gzip', () => {
  it('compresses what is written, and its members may follow each other', async () => {
    const plain = noise(900_000);
    const parts: Uint8Array[] = [];
    for (const half of [plain.subarray(0, 450_000), plain.subarray(450_000)]) {
      const gzip = new Gzip({ level: 1 });
      for (const chunk of cut(half, 100_000)) parts.push(await gzip.write(chunk));
      parts.push(await gzip.end());
    }
    expect((await read(parts)).bytes.equals(plain)).toBe(true);
  });

  it('makes a whole member of nothing', async () => {
    const bytes = await new Gzip().end();
    expect(isGzip(bytes)).toBe(true);
    expect(await read([bytes])).toEqual({ bytes: Buffer.alloc(0), error: undefined });
  });

  it('is used one call at a time, and not after its end', async () => {
    const gzip = new Gzip();
    const first = gzip.write(Buffer.from('a'));
    await expect(gzip.write(Buffer.from('b'))).rejects.toMatchObject({ code: 'SW_FORMAT_CLOSED' });
    await first;
    await gzip.end();
    await expect(gzip.write(Buffer.from('b'))).rejects.toMatchObject({ code: 'SW_FORMAT_CLOSED' });
    await expect(gzip.end()).rejects.toMatchObject({ code: 'SW_FORMAT_CLOSED' });
    gzip.close();
  });

  it('gives its memory back in the middle, and a write that was under way settles', async () => {
    const gzip = new Gzip();
    await gzip.write(noise(100_000));
    const pending = gzip.write(noise(100_000)).catch(() => undefined);
    gzip.close();
    gzip.close();
    await pending;
    await expect(gzip.end()).rejects.toMatchObject({ code: 'SW_FORMAT_CLOSED' });
  });

  it('carries what an encoder wrote to a decoder', async () => {
    const gzip = new Gzip();
    const encoder = ndjson().encoder();
    const parts = [
      await gzip.write(encoder.encode([{ a: 1 }])),
      await gzip.write(encoder.end()),
      await gzip.end(),
    ];
    const decoder = ndjson().decoder();
    for await (const chunk of gunzip(parts)) decoder.push(chunk);
    decoder.end();
    expect(decoder.take(10)).toEqual([{ a: 1 }]);
  });
});
