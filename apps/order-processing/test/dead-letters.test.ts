import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nextFile, ordersIn, ordersOf } from '../src/dead-letters.ts';
import { orderAt } from '../src/orders.ts';

const line = (id: number) => JSON.stringify({ item: orderAt(1, id), stage: 'payment', attempts: 1 });

describe('the files of dead letters', () => {
  it('hold orders, each once, however often they are in it; a line that a kill has torn holds none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'orders-letters-'));
    try {
      const file = join(folder, 'dead-letters.ndjson');
      expect(await ordersIn(file)).toEqual(new Set());
      await writeFile(file, `${line(4)}\n${line(7).slice(0, 40)}\n${line(7)}\n${line(4)}\n{"it`);
      expect(await ordersIn(file)).toEqual(new Set([4, 7]));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.each([
    'id,cents',
    'null',
    '[]',
    '{"stage":"payment"}',
    '{"stage":"payment","item":{"id":1}}',
    line(1).replace('"payment"', '"e-mail"'),
  ])('are told from other files by a line as %s', (text) => {
    expect(() => ordersOf(text)).toThrow(expect.objectContaining({ code: 'ORDERS_LETTER_UNKNOWN' }));
  });

  it('follow each other by number', () => {
    expect(nextFile('/out/dead-letters.ndjson')).toBe('/out/dead-letters.2.ndjson');
    expect(nextFile('/out/dead-letters.2.ndjson')).toBe('/out/dead-letters.3.ndjson');
    expect(nextFile('/out/dead-letters.19.ndjson')).toBe('/out/dead-letters.20.ndjson');
    expect(nextFile('/out/a.b')).toBe('/out/a.b.2.ndjson');
  });
});
