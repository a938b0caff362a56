import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DamagedLine, parseLine, type RequestRow } from '../src/access-line.ts';
import { countFile } from '../src/independent-count.ts';

const GOOD =
  '127.0.0.1 - - [01/Dec/2026:12:54:39 +0000] "GET /a/b.html?q=1 HTTP/1.1" 200 512 "http://x/" "curl/8"';

function parse(text: string): RequestRow {
  return parseLine({ file: '/log', incarnation: 0, inode: 7, line: 3, text });
}

/** Why it is damaged, or nothing. */
function damage(text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(DamagedLine);
    return (error as Error).message;
  }
}

describe('parseLine', () => {
  it('takes a line apart, and keeps where it stood', () => {
    expect(parse(GOOD)).toEqual({
      file: '/log',
      incarnation: 0,
      inode: 7,
      line: 3,
      host: '127.0.0.1',
      user_name: null,
      at: '2026-12-01T12:54:39+0000',
      method: 'GET',
      path: '/a/b.html',
      query: 'q=1',
      protocol: 'HTTP/1.1',
      status: 200,
      bytes: 512,
      referer: 'http://x/',
      agent: 'curl/8',
    });
  });

  it('takes addresses of IPv6, no size, users with spaces, and escaped quotes as they stand', () => {
    const line = String.raw`2001:db8::7:fe - frank van dam [29/Feb/2024:23:59:59 -0530] "PROPFIND /\"a\" b\\ HTTP/2.0" 304 - "-" "say \"hi\" \\"`;
    expect(parse(line)).toMatchObject({
      host: '2001:db8::7:fe',
      user_name: 'frank van dam',
      at: '2024-02-29T23:59:59-0530',
      method: 'PROPFIND',
      path: String.raw`/\"a\" b\\`,
      protocol: 'HTTP/2.0',
      status: 304,
      bytes: 0,
      referer: null,
      agent: String.raw`say \"hi\" \\`,
    });
  });

  it.each([
    ['GET /', { method: 'GET', path: '/', protocol: null }],
    ['M-SEARCH * HTTP/1.1', { method: 'M-SEARCH', path: '*', protocol: 'HTTP/1.1' }],
    ['-', { method: null, path: '-', protocol: null }],
    ['', { method: null, path: '', protocol: null }],
    [String.raw`\x16\x03\x01\x02`, { method: null, path: String.raw`\x16\x03\x01\x02`, protocol: null }],
    ['GET http://x/?a?b HTTP/1.0', { method: 'GET', path: 'http://x/', query: 'a?b', protocol: 'HTTP/1.0' }],
    ['GET  HTTP/1.1', { method: 'GET', path: ' HTTP/1.1', protocol: null }],
  ])('takes the request %j for what it is', (request, expected) => {
    expect(parse(GOOD.replace('GET /a/b.html?q=1 HTTP/1.1', request))).toMatchObject(expected);
  });

  it.each([
    ['', 'is empty'],
    [GOOD.slice(0, 20), 'expected a time as [01/Dec/2026:12:54:39 +0000] at column 15'],
    [GOOD.slice(0, 60), 'expected a request in quotes at column 44'],
    [GOOD.slice(0, -1), 'expected an agent in quotes, and the end at column 93'],
    [`${GOOD} "more"`, 'expected an agent in quotes, and the end at column 93'],
    [GOOD.replace('127', '\0\0'), 'has a control character at column 1'],
    [GOOD.replace('curl', 'c\ufffdrl'), 'has bytes that are not UTF-8 at column 95'],
    [GOOD.replace('01/Dec', '31/Feb'), 'has a day that the calendar does not have'],
    [GOOD.replace('Dec', 'Dez'), 'has a day that the calendar does not have'],
    [GOOD.replace('12:54', '24:54'), 'expected a time as [01/Dec/2026:12:54:39 +0000] at column 15'],
    [GOOD.replace(' 200 ', ' 20 '), 'expected a status of three digits at column 73'],
    [GOOD.replace(' 512 ', ' 5e2 '), 'expected a number of bytes, or - at column 77'],
    [GOOD.replace('curl', 'x'.repeat(70_000)), 'is longer than 65536 characters'],
  ])('says of a damaged line why', (text, why) => {
    expect(damage(text)).toBe(why);
  });

  it('takes no longer than it must over lines that are made to take long', () => {
    const begunAt = performance.now();
    for (const text of [
      `${'a '.repeat(32_000)}`,
      `a - ${'[01/Dec/2026:12:54:39 +0000] '.repeat(2_000)}`,
      GOOD.replace('curl', '\\"'.repeat(32_000)).slice(0, -1),
      GOOD.replace('GET /a', `GET ${' HTTP/1.1'.repeat(7_000)}`).slice(0, -1),
    ]) {
      expect(damage(text)).toBeDefined();
    }
    expect(parse(GOOD.replace('/a/b', ' HTTP/1.1'.repeat(7_000))).status).toBe(200);
    // 0.01 s where it was tried; what grows with the square of the length takes minutes.
    expect(performance.now() - begunAt).toBeLessThan(5_000);
  });
});

describe('the independent count', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'count-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('says the same of every line as the pattern does, whatever has become of it', async () => {
    // Lines with a piece that was taken out, put in or doubled: most of the ways in which a format is misread.
    const pieces = [
      '"',
      '\\',
      ' ',
      '[',
      ']',
      '-',
      '?',
      'HTTP/1.1',
      '\t',
      '/',
      ':',
      '0',
      '3',
      '\u00a0',
      '\u2028',
      'é',
      '\ufffd',
      'Feb',
      ' [',
      '] "',
    ];
    const cut = fc.tuple(fc.nat(GOOD.length), fc.nat(4), fc.constantFrom('', ...pieces));
    const mutated = fc.array(cut, { maxLength: 4 }).map((cuts) => {
      let text = GOOD;
      for (const [at, length, put] of cuts) text = text.slice(0, at) + put + text.slice(at + length);
      return text;
    });
    const seen = { good: 0, damaged: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(mutated, { minLength: 50, maxLength: 50 }), async (texts) => {
        const path = join(folder, 'log');
        await writeFile(path, `${texts.join('\n')}\n`);
        const count = await countFile(path, Number.POSITIVE_INFINITY);
        const expected = new Map<string, number>();
        for (const [index, text] of texts.entries()) {
          const isDamaged = damage(text) !== undefined;
          seen[isDamaged ? 'damaged' : 'good'] += 1;
          expect(count.damaged.has(index + 1), text).toBe(isDamaged);
          if (isDamaged) continue;
          const { path: key, bytes, at } = parse(text);
          expected.set(key, (expected.get(key) ?? 0) + bytes);
          const minute = new Date(at.replace(/(\d\d)$/, ':$1')).toISOString().slice(0, 16).replace('T', ' ');
          expect(count.byMinute.has(minute), text).toBe(true);
        }
        expect(new Map([...count.byPath].map(([key, { bytes }]) => [key, bytes]))).toEqual(expected);
        expect(count.lines).toBe(texts.length);
      }),
      { numRuns: 100 },
    );
    expect(seen.good).toBeGreaterThan(500);
    expect(seen.damaged).toBeGreaterThan(500);
  });
});
