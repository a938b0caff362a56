import { bytes } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';
import { decode, decodeCut } from './decode.ts';

const input = Uint8Array.from({ length: 100 }, (_, index) => index * 7);

describe('bytes', () => {
  it('28: gives exactly the bytes, also those that are not UTF-8', () => {
    for (const size of [1, 3, 100]) {
      const { items, decoder } = decode(bytes(), input, size);
      expect(Buffer.concat(items)).toEqual(Buffer.from(input));
      expect(decoder.offset).toBe(100);
    }
  });

  it('gives the chunks as they come, an item each, as copies', () => {
    expect(decodeCut(bytes(), input, [10, 10, 60]).items.map((item) => item.length)).toEqual([10, 50, 40]);
  });

  it('hands chunks over that are its own, and copies where it has to cut', () => {
    const decoder = bytes({ chunkBytes: 40 }).decoder({ ownsChunks: true });
    const chunk = input.slice(0, 40);
    decoder.push(chunk);
    const [whole] = decoder.take(1);
    expect(whole).toEqual(chunk);
    expect(whole?.buffer).toBe(chunk.buffer);
    decoder.push(input.slice(40));
    decoder.end();
    const [cut, rest] = decoder.take(5);
    expect([cut, rest]).toEqual([input.slice(40, 80), input.slice(80)]);
    expect(decoder.offset).toBe(100);
  });

  it('gives pieces of one size where asked to, the last one shorter, wherever chunks are cut', () => {
    for (const size of [1, 3, 16, 99, 100]) {
      const { items, stops } = decode(bytes({ chunkBytes: 16 }), input, size, { max: 1 });
      expect(items.map((item) => item.length)).toEqual([16, 16, 16, 16, 16, 16, 4]);
      expect(Buffer.concat(items)).toEqual(Buffer.from(input));
      expect(stops.map((stop) => stop.offset)).toEqual([16, 32, 48, 64, 80, 96, 100]);
    }
  });

  it('goes on from where it is told', () => {
    const { decoder, items } = decode(bytes({ chunkBytes: 30 }), input.subarray(60), 7, {
      at: { offset: 60, record: 2 },
    });
    expect(items.map((item) => item.length)).toEqual([30, 10]);
    expect([decoder.offset, decoder.record]).toEqual([100, 4]);
  });

  it('writes what it is given, and refuses what is no Uint8Array by its index', () => {
    const encoder = bytes().encoder();
    expect(Buffer.from(encoder.encode([Uint8Array.of(1), Uint8Array.of(2, 3)]))).toEqual(
      Buffer.from([1, 2, 3]),
    );
    expect(encoder.encode([])).toHaveLength(0);
    expect(encoder.end()).toHaveLength(0);
    expect(() => encoder.encode([Uint8Array.of(1), 'x' as never])).toThrow(
      expect.objectContaining({ code: 'SW_FORMAT_INVALID_ITEM', index: 1 }),
    );
  });
});
