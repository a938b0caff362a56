import { csv, type Format, lines, ndjson } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';

const GIBIBYTE = 2 ** 30;
const MEBIBYTE = 2 ** 20;

/** Pushes a GiB in chunks of 1 MiB, one buffer over and over, and answers the most memory used beyond the start. */
function pushGibibyte(
  format: Format<unknown, never>,
  chunk: Buffer,
  head = '',
): { peak: number; count: number; error: unknown } {
  const decoder = format.decoder();
  decoder.push(Buffer.from(head));
  globalThis.gc?.();
  const before = process.memoryUsage();
  let peak = 0;
  let count = 0;
  try {
    for (let pushed = 0; pushed < GIBIBYTE; pushed += chunk.length) {
      decoder.push(chunk);
      for (let items = decoder.take(1000); items.length > 0; items = decoder.take(1000))
        count += items.length;
      if (pushed % (64 * chunk.length) === 0) globalThis.gc?.();
      const now = process.memoryUsage();
      peak = Math.max(peak, now.heapUsed + now.arrayBuffers - before.heapUsed - before.arrayBuffers);
    }
    decoder.push(Buffer.from('\nlast\n'));
    for (let items = decoder.take(1000); items.length > 0; items = decoder.take(1000)) count += items.length;
  } catch (error) {
    return { peak, count, error };
  }
  return { peak, count, error: undefined };
}

describe('memory', () => {
  it('30: stays bounded for a line of 1 GiB that is left out', () => {
    const { peak, count, error } = pushGibibyte(lines({ onLongLine: 'skip' }), Buffer.alloc(MEBIBYTE, 'x'));
    expect(error).toBeUndefined();
    expect(count).toBe(1);
    expect(peak).toBeLessThan(80 * MEBIBYTE);
  });

  it('30: stays bounded for a line of 1 GiB that fails, as a quoted CSV field too', () => {
    const chunk = Buffer.alloc(MEBIBYTE, 'x');
    const ofLines = pushGibibyte(ndjson(), chunk);
    expect(ofLines.error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', offset: 0, record: 1 });
    const ofCsv = pushGibibyte(csv(), Buffer.alloc(MEBIBYTE, 'x,""\n'), '"');
    expect(ofCsv.error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', offset: 0, record: 1 });
    expect(Math.max(ofLines.peak, ofCsv.peak)).toBeLessThan(80 * MEBIBYTE);
  });

  it('stays flat over a GiB of short lines', () => {
    const { peak, count } = pushGibibyte(lines(), Buffer.alloc(MEBIBYTE, `${'x'.repeat(127)}\n`));
    expect(count).toBe(GIBIBYTE / 128 + 2);
    expect(peak).toBeLessThan(80 * MEBIBYTE);
  });

  it('holds no more than a piece for a line that is kept', () => {
    const decoder = lines().decoder();
    const chunk = Buffer.alloc(MEBIBYTE, `${'x'.repeat(127)}\n`);
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const kept: (string | undefined)[] = [];
    for (let pushed = 0; pushed < 200; pushed++) {
      decoder.push(chunk);
      kept.push(decoder.take(1)[0]);
      while (decoder.take(10_000).length > 0);
    }
    globalThis.gc?.();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 * (32 << 10) * 1.5);
    expect(kept).toHaveLength(200);
  });
});
