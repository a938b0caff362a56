/**
 * Exactly once, with each request of a sink interrupted in turn, from its first look at the ledger to its last write: the
 * answer is lost, or the request; another sink takes over before it, or behind it while nobody knows whether it was done. What
 * counts is looked at after each step: it is a beginning of the items, and in the end all of them, once.
 */

import { expect, it } from 'vitest';
import { isTransient } from '../src/errors.ts';
import { isCommitted } from '../src/ledger.ts';
import { S3Sink } from '../src/sink.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readLedger, readObject } from './writing.ts';

const TOTAL = 12;
/** One is more than the requests of a sink that is left alone. */
const REQUESTS = 20;

describeWithS3('S3Sink, interrupted', (buckets) => {
  let places = 0;
  const sinkOf = (prefix: string, isFirst: boolean): S3Sink<Item> =>
    new S3Sink<Item>({
      ...(isFirst ? buckets().throughFaults : buckets().reach),
      bucket: buckets().bucket,
      key: `${prefix}{by}/{sequence}.ndjson`,
      by: ({ id }) => (id % 2 === 0 ? 'even' : 'odd'),
      ledger: `${prefix}ledger.json`,
      format: 'ndjson',
      // Of the first, whoever drives it tries again: so the same write comes with another number.
      ...(isFirst ? { retryMs: 0 } : undefined),
    });

  /** By the rule for readers. */
  const look = async (prefix: string): Promise<Item[]> => {
    if (!(await buckets().keys(prefix)).includes(`${prefix}ledger.json`)) return [];
    const ledger = await readLedger(buckets(), `${prefix}ledger.json`);
    const found: Item[] = [];
    for (const key of await objectKeys(buckets(), prefix))
      if (isCommitted(ledger, Number(/(\d+)\.ndjson$/.exec(key)?.[1])))
        found.push(...(await readObject(buckets(), key)));
    return found.toSorted((a, b) => a.id - b.id);
  };
  const expectBeginning = async (prefix: string): Promise<void> => {
    const found = await look(prefix);
    expect(found).toEqual(items(0, found.length));
  };

  /** As a run does: on from where the sink stands, each write tried again where that may help. Answers whether it came to its end. */
  const run = async (driven: Driven, size: number, writes = Number.POSITIVE_INFINITY): Promise<boolean> => {
    try {
      await driven.open({ checkpoint: 'numbers' });
      let at = Number((await driven.positions())?.get('a') ?? 0);
      for (let n = 0; at < TOTAL && n < writes; n += 1) {
        const to = Math.min(TOTAL, at + size);
        for (let attempt = 1; ; attempt += 1) {
          try {
            await driven.write(items(at, to), { positions: { a: to }, attempt });
            break;
          } catch (error) {
            if (!isTransient(error) || attempt === 5) throw error;
          }
        }
        at = to;
      }
      await driven.close();
      return true;
    } catch (error) {
      await driven.close(error);
      return false;
    }
  };

  type Interrupt = (prefix: string, at: number) => () => number;
  const anyRequest = (prefix: string) => (request: { key: string }) => request.key.startsWith(prefix);
  /** Another, which writes once and is killed as it were: it never closes. */
  const takeOver = async (prefix: string): Promise<void> => {
    const other = new Driven(sinkOf(prefix, false));
    await other.open({ checkpoint: 'numbers' });
    const at = Number((await other.positions())?.get('a') ?? 0);
    if (at < TOTAL) {
      const to = Math.min(TOTAL, at + 2);
      await other.write(items(at, to), { positions: { a: to } });
    }
    await expectBeginning(prefix);
  };
  const fault = (kind: 'loseAnswer' | 'reset'): Interrupt => {
    return (prefix, at) => {
      const planned = buckets().faults.plan({ on: anyRequest(prefix), after: at, fault: { kind } });
      return () => planned.met;
    };
  };
  const KINDS: Readonly<Record<string, Interrupt>> = {
    'whose answer is lost': fault('loseAnswer'),
    'that is lost': fault('reset'),
    'before which another takes over': (prefix, at) => {
      const before = { kind: 'before', run: () => takeOver(prefix) } as const;
      const planned = buckets().faults.plan({ on: anyRequest(prefix), after: at, fault: before });
      return () => planned.met;
    },
    'whose answer is lost, and another takes over': (prefix, at) => {
      const { faults } = buckets();
      const lost = faults.plan({ on: anyRequest(prefix), after: at, fault: { kind: 'loseAnswer' } });
      const on = (request: { key: string }): boolean => lost.met === 1 && anyRequest(prefix)(request);
      faults.plan({ on, fault: { kind: 'before', run: () => takeOver(prefix) } });
      return () => lost.met;
    },
  };

  it.each(Object.entries(KINDS))(
    'counts each item once, whichever is the request %s',
    async (_, interrupt) => {
      let isMet = true;
      let met = 0;
      for (let at = 0; isMet; at += 1) {
        expect(at).toBeLessThan(REQUESTS);
        const prefix = `place-${places++}/`;
        const count = interrupt(prefix, at);
        await run(new Driven(sinkOf(prefix, true)), 5);
        isMet = count() > 0;
        if (isMet) met += 1;
        await expectBeginning(prefix);
        // Whoever comes next cuts them elsewhere.
        expect(await run(new Driven(sinkOf(prefix, false)), 3)).toBe(true);
        expect(await look(prefix), `interrupted at request ${at}`).toEqual(items(0, TOTAL));
        const { pending } = await readLedger(buckets(), `${prefix}ledger.json`);
        expect(pending).toEqual([]);
        buckets().faults.clear();
      }
      // The ledger four times to open it, and each write is its ledger twice and two objects.
      expect(met).toBeGreaterThanOrEqual(4 + 3 * 4);
    },
  );
});
