/** Gzip that is cut off, damaged, padded or followed by something, wherever its chunks are cut: as node:zlib has it all at once. */

import { gunzipSync, gzipSync, constants } from 'node:zlib';
import { type FormatError, gunzip } from '@streamweld/formats';
import { Random } from '@streamweld/testing';
import { describe, expect, it } from 'vitest';
import { damage, EFFORT, SEED } from './bad-input.ts';

interface Result {
  readonly bytes: Buffer;
  readonly code: string | undefined;
  readonly offset?: number | undefined;
}

const CODES: Record<string, string> = {
  Z_BUF_ERROR: 'SW_FORMAT_GZIP_TRUNCATED',
  Z_DATA_ERROR: 'SW_FORMAT_GZIP_INVALID',
  Z_NEED_DICT: 'SW_FORMAT_GZIP_INVALID',
};

function whole(packed: Uint8Array): Result {
  // Zlib misses the end of a member there; we take it for none.
  if (packed.length === 0) return { bytes: Buffer.alloc(0), code: undefined };
  try {
    return { bytes: gunzipSync(packed), code: undefined };
  } catch (error) {
    const code = CODES[(error as { code: string }).code];
    if (code !== 'SW_FORMAT_GZIP_TRUNCATED') return { bytes: Buffer.alloc(0), code };
    // Told that more may come, zlib gives what there is.
    return { bytes: gunzipSync(packed, { finishFlush: constants.Z_SYNC_FLUSH }), code };
  }
}

async function inChunks(packed: Uint8Array, cuts: readonly number[]): Promise<Result> {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const to of [...cuts, packed.length]) {
    chunks.push(packed.subarray(from, to));
    from = to;
  }
  const parts: Uint8Array[] = [];
  try {
    for await (const part of gunzip(chunks)) parts.push(part);
    return { bytes: Buffer.concat(parts), code: undefined };
  } catch (error) {
    const { code, offset } = error as FormatError;
    return { bytes: Buffer.concat(parts), code, offset };
  }
}

function input(random: Random): Buffer {
  const members = Array.from({ length: random.integer(1, 3) }, () => {
    const text = Array.from({ length: random.integer(0, 40) }, () => random.integer(0, 255));
    return gzipSync(Buffer.from(random.chance(0.5) ? text : 'a\n'.repeat(random.integer(0, 300))), {
      level: random.integer(0, 9),
    });
  });
  const tail = random.pick([
    [],
    [],
    [0],
    [0, 0, 0, 0, 0],
    [0, 31, 139],
    [31],
    [31, 139],
    [1, 2, 3],
    [31, 139, 8, 0],
  ]);
  const packed = Buffer.concat([...members, Uint8Array.from(tail)]);
  if (random.chance(0.25)) return packed.subarray(0, random.integer(0, packed.length));
  return random.chance(0.5) ? Buffer.from(damage(random, packed)) : packed;
}

describe('gunzip', () => {
  async function expectSame(packed: Uint8Array, cuts: readonly number[], expected: Result): Promise<Result> {
    const seen = await inChunks(packed, cuts);
    const again = `gzip '${Buffer.from(packed).toString('hex')}', cut at ${JSON.stringify(cuts)}`;
    expect(seen.code, again).toBe(expected.code);
    if (expected.code === 'SW_FORMAT_GZIP_INVALID') {
      // How much comes before what is damaged is zlib's business, and told.
      expect(seen.offset, again).toBe(seen.bytes.length);
    } else if (expected.code === undefined) {
      expect(seen.bytes.equals(expected.bytes), again).toBe(true);
    } else {
      expect(seen.bytes.equals(expected.bytes.subarray(0, seen.bytes.length)), again).toBe(true);
      expect(seen.offset, again).toBe(seen.bytes.length);
    }
    return seen;
  }

  it(
    'comes to what zlib makes of the whole, cut at every byte',
    async () => {
      const random = new Random(SEED);
      const seen = new Set<string>();
      const met = new Map<string, number>();
      while (seen.size < 400 * EFFORT) {
        const packed = input(random);
        const key = packed.toString('latin1');
        if (seen.has(key)) continue;
        seen.add(key);
        const expected = whole(packed);
        met.set(expected.code ?? 'whole', (met.get(expected.code ?? 'whole') ?? 0) + 1);
        const cuts = Array.from({ length: packed.length }, (_, at) => at);
        const results = [await expectSame(packed, cuts, expected)];
        const step = Math.max(1, Math.floor(packed.length / 60));
        for (let at = random.integer(0, step - 1); at < packed.length; at += step) {
          results.push(await expectSame(packed, [at], expected));
        }
        // What is answered of damaged data is the beginning of the same, however far it goes.
        const longest = results.reduce((a, b) => (a.bytes.length >= b.bytes.length ? a : b)).bytes;
        for (const { bytes } of results) expect(bytes.equals(longest.subarray(0, bytes.length))).toBe(true);
      }
      expect([...met.values()].every((count) => count > 20 * Math.min(1, EFFORT))).toBe(true);
      expect(met.size).toBe(3);
    },
    60_000 * Math.max(1, EFFORT),
  );

  it('cut off at every byte of two members, is never taken for whole but where a member ends', async () => {
    const members = [gzipSync('one\ntwo\n'), gzipSync(Buffer.alloc(500, 'ab\n'))];
    const packed = Buffer.concat(members);
    for (let length = 1; length < packed.length; length++) {
      const cut = packed.subarray(0, length);
      const { code } = await expectSame(cut, [Math.floor(length / 2)], whole(cut));
      expect(code).toBe(length === members[0]?.length ? undefined : 'SW_FORMAT_GZIP_TRUNCATED');
    }
  });

  it('with any one bit of it the other way, never gives other bytes and calls them whole', async () => {
    const plain = Buffer.from('one\ntwo\nthree\n');
    const packed = gzipSync(plain);
    let harmless = 0;
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const flipped = Buffer.from(packed);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      const { code, bytes } = await expectSame(flipped, [bit >> 4], whole(flipped));
      if (code !== undefined) continue;
      expect(bytes).toEqual(plain);
      harmless += 1;
    }
    // Only the time, the system, and hints in the header mean nothing for the data.
    expect(harmless).toBeGreaterThan(40);
    expect(harmless).toBeLessThan(70);
  });
});
