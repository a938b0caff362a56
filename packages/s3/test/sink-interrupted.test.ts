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

interface Plan {
  readonly items: readonly Item[];
  /** How many items the first sink writes at once, the one that takes over, and the one that comes last. */
  readonly sizes: readonly [first: number, other: number, last: number];
  readonly by?: (item: Item) => string;
  /** Which of the requests are interrupted. */
  readonly isMeant: (request: { readonly operation: string }) => boolean;
  /** So many they are at least, of a sink that is left alone. */
  readonly requests: number;
}

const PLANS: Readonly<Record<string, Plan>> = {
  'a request': {
    items: items(0, 8),
    sizes: [4, 2, 3],
    by: ({ id }) => (id % 2 === 0 ? 'even' : 'odd'),
    isMeant: () => true,
    // The ledger four times to open it; each of two writes is the ledger twice, and two objects.
    requests: 4 + 2 * 4,
  },
  'a request of an upload': {
    items: items(0, 3).map(({ id }) => ({ id, text: String(id).repeat(3 << 20) })),
    sizes: [2, 2, 3],
    isMeant: ({ operation }) => /Upload/.test(operation),
    // It is begun, has two parts, and is completed.
    requests: 4,
  },
};
/** More than the requests of a sink that is left alone. */
const MOST_REQUESTS = 20;

describeWithS3('S3Sink, interrupted', (buckets) => {
  let places = 0;
  const sinkOf = (prefix: string, { by }: Plan, isFirst: boolean): S3Sink<Item> =>
    new S3Sink<Item>({
      ...(isFirst ? buckets().throughFaults : buckets().reach),
      bucket: buckets().bucket,
      key: by === undefined ? `${prefix}{sequence}.ndjson` : `${prefix}{by}/{sequence}.ndjson`,
      by,
      ledger: `${prefix}ledger.json`,
      format: 'ndjson',
      partBytes: 5 << 20,
      // Of the first, whoever drives it tries again: so the same write comes with another number.
      ...(isFirst ? { retryMs: 0 } : undefined),
    });

  /** What counts, by the rule for readers: a beginning of the items. Answers how many. */
  const look = async (prefix: string, plan: Plan): Promise<number> => {
    if (!(await buckets().keys(prefix)).includes(`${prefix}ledger.json`)) return 0;
    const ledger = await readLedger(buckets(), `${prefix}ledger.json`);
    const found: Item[] = [];
    for (const key of await objectKeys(buckets(), prefix))
      if (isCommitted(ledger, Number(/(\d+)\.ndjson$/.exec(key)?.[1])))
        found.push(...(await readObject(buckets(), key)));
    expect(found.toSorted((a, b) => a.id - b.id)).toEqual(plan.items.slice(0, found.length));
    return found.length;
  };

  /** As a run does: on from where the sink stands, each write tried again where that may help. Answers whether it came to its end. */
  const run = async (driven: Driven, { items: all }: Plan, size: number): Promise<boolean> => {
    try {
      await driven.open({ checkpoint: 'numbers' });
      for (let at = await placeOf(driven); at < all.length; at += size) {
        const to = Math.min(all.length, at + size);
        for (let attempt = 1; ; attempt += 1) {
          try {
            await driven.write(all.slice(at, to), { positions: { a: to }, attempt });
            break;
          } catch (error) {
            if (!isTransient(error) || attempt === 5) throw error;
          }
        }
      }
      await driven.close();
      return true;
    } catch (error) {
      await driven.close(error);
      return false;
    }
  };
  const placeOf = async (driven: Driven): Promise<number> =>
    Number((await driven.positions())?.get('a') ?? 0);

  /** Another, which writes once and is killed as it were: it never closes. */
  const takeOver = async (prefix: string, plan: Plan): Promise<void> => {
    const other = await new Driven(sinkOf(prefix, plan, false)).open({ checkpoint: 'numbers' });
    const at = await placeOf(other);
    const more = plan.items.slice(at, at + plan.sizes[1]);
    if (more.length > 0) await other.write(more, { positions: { a: at + more.length } });
    await look(prefix, plan);
  };

  type Interrupt = (prefix: string, plan: Plan, at: number) => { readonly met: number };
  const meant =
    (prefix: string, { isMeant }: Plan) =>
    (request: { readonly operation: string; readonly key: string }): boolean =>
      request.key.startsWith(prefix) && isMeant(request);
  const fault = (kind: 'loseAnswer' | 'reset'): Interrupt => {
    return (prefix, plan, at) =>
      buckets().faults.plan({ on: meant(prefix, plan), after: at, fault: { kind } });
  };
  const KINDS: Readonly<Record<string, Interrupt>> = {
    'is answered in vain': fault('loseAnswer'),
    'is lost': fault('reset'),
    'comes when another has taken over': (prefix, plan, at) =>
      buckets().faults.plan({
        on: meant(prefix, plan),
        after: at,
        fault: { kind: 'before', run: () => takeOver(prefix, plan) },
      }),
    'is answered in vain, and another takes over': (prefix, plan, at) => {
      const { faults } = buckets();
      const lost = faults.plan({ on: meant(prefix, plan), after: at, fault: { kind: 'loseAnswer' } });
      const on = ({ key }: { readonly key: string }): boolean => lost.met === 1 && key.startsWith(prefix);
      faults.plan({ on, fault: { kind: 'before', run: () => takeOver(prefix, plan) } });
      return lost;
    },
  };

  const cases = Object.entries(PLANS).flatMap(([what, plan]) =>
    Object.entries(KINDS).map(([how, interrupt]) => [what, how, plan, interrupt] as const),
  );
  it.each(cases)('counts each item once where %s %s, whichever it is', async (_, __, plan, interrupt) => {
    let at = 0;
    for (let isMet = true; isMet; at += 1) {
      expect(at).toBeLessThan(MOST_REQUESTS);
      const prefix = `place-${places++}/`;
      const planned = interrupt(prefix, plan, at);
      await run(new Driven(sinkOf(prefix, plan, true)), plan, plan.sizes[0]);
      isMet = planned.met > 0;
      await look(prefix, plan);
      // Whoever comes next cuts them elsewhere.
      expect(await run(new Driven(sinkOf(prefix, plan, false)), plan, plan.sizes[2])).toBe(true);
      expect(await look(prefix, plan), `interrupted at request ${at}`).toBe(plan.items.length);
      expect(await readLedger(buckets(), `${prefix}ledger.json`)).toMatchObject({ pending: [] });
      expect(await buckets().uploads(prefix)).toEqual([]);
      buckets().faults.clear();
    }
    expect(at).toBeGreaterThan(plan.requests);
  });
});
