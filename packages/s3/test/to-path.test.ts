import { mkdtemp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toPath } from '../src/to-path.ts';

/** Back again: that there is a way back means that no two keys have the same path. */
function toKey(path: string): string {
  return path
    .replaceAll('%+/', '')
    .split('/')
    .map((part) => (part === '%' ? '' : decodeURIComponent(part)))
    .join('/');
}

const ODD = [
  'a',
  'logs/2024/a.log',
  'with space/and ünïcode 日本 😀',
  '..',
  '.',
  '../up',
  'a/../../b',
  '...',
  'a./b. /c ',
  '/a//b/',
  '/',
  '//',
  '%',
  '%25',
  '%2E%2E',
  'a%+/b',
  'C:\\windows\\x',
  'a\u0000b\n\u007f',
  'con/nul.txt/COM1',
  'console',
  '*?"<>|',
  'x'.repeat(1024),
  '😀'.repeat(256),
  `${'.'.repeat(1024)}`,
  ':'.repeat(1024),
  `${'y'.repeat(240)}.`,
];

const TITLED = ODD.map((key) => [JSON.stringify(key).slice(0, 30), key] as const);

describe('toPath', () => {
  it.each(TITLED)('has a path for %s that says which key it was', (_, key) => {
    expect(toKey(toPath(key))).toBe(key);
  });

  it.each(TITLED)('stays in its folder and has only names that can be had: %s', (_, key) => {
    const path = toPath(key);
    expect(resolve('/safe', path).startsWith('/safe/')).toBe(true);
    for (const name of path.split('/')) {
      expect(name).not.toBe('');
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
      expect(name).toMatch(/[^. ]$/);
    }
  });

  it('leaves what is harmless as it is', () => {
    expect(toPath('logs/2024-01-01/a b.log.gz')).toBe('logs/2024-01-01/a b.log.gz');
    expect(toPath('../secrets')).toBe('.%2E/secrets');
    expect(toPath('/a//b/')).toBe('%/a/%/b/%');
  });

  it('tells any two of very many apart', () => {
    const parts = ['', '.', '..', 'a', '%', '%2E', '%+', '%+/a', ' ', 'con'];
    const keys = parts.flatMap((a) => parts.flatMap((b) => parts.map((c) => `${a}/${b}/${c}`)));
    const all = new Set(keys);
    expect(new Set([...all].map(toPath)).size).toBe(all.size);
  });

  it('has paths under which files can be made', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'streamweld-s3-'));
    try {
      for (const key of ODD) {
        const path = join(folder, String(ODD.indexOf(key)), toPath(key));
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, key);
      }
      expect((await readdir(folder)).length).toBe(ODD.length);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
