/** The steps of exactly once, each of them interrupted: what the ledger says, what readers see, what comes after. */

import { expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { isCommitted, type LedgerContent } from '../src/ledger.ts';
import { openStore } from '../src/open-store.ts';
import { checkReach } from '../src/options.ts';
import { S3Sink } from '../src/sink.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { Killable } from './killable.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readLedger, readObject } from './writing.ts';

const MIB = 1 << 20;
const OPTIONS = { checkpoint: 'numbers' };

describeWithS3('S3Sink, exactly once', (buckets) => {
  let places = 0;
  const place = (): string => `place-${places++}/`;
  const optionsOf = (prefix: string, more: Partial<S3SinkOptions<Item>>) =>
    ({
      bucket: buckets().bucket,
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      ...more,
    }) as S3SinkOptions<Item> & { format: 'ndjson' };
  const open = (prefix: string, more: Partial<S3SinkOptions<Item>> = {}): Promise<Driven> =>
    new Driven(new S3Sink<Item>({ ...buckets().throughFaults, ...optionsOf(prefix, more) })).open(OPTIONS);
  /** One that can be killed, and may be thought dead while it lives. */
  const openKillable = async (prefix: string): Promise<Driven & { kill(): Promise<void> }> => {
    const killable = new Killable(buckets().reach);
    const driven = await new Driven(
      new S3Sink<Item>({ client: killable.store, ...optionsOf(prefix, {}) }),
    ).open(OPTIONS);
    const kill = async (): Promise<void> => {
      killable.kill();
      await driven.abort();
    };
    return Object.assign(driven, { kill });
  };
  const ledgerOf = (prefix: string): Promise<LedgerContent> => readLedger(buckets(), `${prefix}ledger.json`);
  /** By the rule. */
  const committed = async (prefix: string): Promise<Item[]> => {
    const ledger = await ledgerOf(prefix);
    const found: Item[] = [];
    for (const key of await objectKeys(buckets(), prefix)) {
      const sequence = Number(/(\d+)\.ndjson$/.exec(key)?.[1]);
      if (isCommitted(ledger, sequence)) found.push(...(await readObject(buckets(), key)));
    }
    return found;
  };
  const isObject = ({ operation, key }: { operation: string; key: string }): boolean =>
    operation === 'PutObject' && key.endsWith('.ndjson');
  const isLedger = ({ operation, key }: { operation: string; key: string }): boolean =>
    operation === 'PutObject' && key.endsWith('ledger.json');

  it('makes each write an object, and keeps the positions with it', async () => {
    const prefix = place();
    const first = await open(prefix);
    expect(await first.positions()).toEqual(new Map());
    expect(await first.write(items(0, 3), { positions: { a: 3 } })).toBeUndefined();
    await first.write(items(3, 5), { positions: { a: 5, b: { at: 1 } } });
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 2, next: 3, void: [], pending: [] });
    await first.close();
    const second = await open(prefix);
    expect(await second.positions()).toEqual(
      new Map<string, unknown>([
        ['a', 5],
        ['b', { at: 1 }],
      ]),
    );
    await second.write(items(5, 6), { positions: { a: 6 } });
    await second.close();
    expect(await committed(prefix)).toEqual(items(0, 6));
    expect(await objectKeys(buckets(), prefix)).toHaveLength(3);
  });

  it('takes nothing back that is committed, where only the answer was lost and another has gone on', async () => {
    const prefix = place();
    const first = await open(prefix);
    const { faults } = buckets();
    // It is told which write is pending, and then that it is committed.
    const lost = faults.plan({ on: isLedger, after: 1, fault: { kind: 'loseAnswer' } });
    let second: Driven | undefined;
    faults.plan({
      on: (request) => isLedger(request) && lost.met === 1 && second === undefined,
      fault: {
        kind: 'before',
        run: async () => {
          second = await new Driven(new S3Sink<Item>({ ...buckets().reach, ...optionsOf(prefix, {}) })).open(
            OPTIONS,
          );
        },
      },
    });
    await expect(first.write(items(0, 3), { positions: { a: 3 } })).rejects.toMatchObject({
      code: 'SW_CHECKPOINT_FENCED',
    });
    await first.abort();
    expect(await second?.positions()).toEqual(new Map([['a', 3]]));
    await second?.write(items(3, 5), { positions: { a: 5 } });
    await second?.close();
    expect(await committed(prefix)).toEqual(items(0, 5));
  });

  it('lets nobody else begin where it left off, also where it kept positions alone', async () => {
    const prefix = place();
    const first = await open(prefix);
    await first.sink.keep?.(new Map([['a', 3]]));
    await first.close();
    const other = new S3Sink<Item>({ ...buckets().reach, ...optionsOf(prefix, {}) });
    await expect(new Driven(other).open({ checkpoint: 'letters' })).rejects.toMatchObject({
      code: 'SW_S3_LEDGER_OCCUPIED',
    });
    expect(await (await open(prefix)).positions()).toEqual(new Map([['a', 3]]));
  });

  it('gives the key of an object its lane and where it begins', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: ({ lane, first, positions, sequence }) =>
        `${prefix}${lane}-${Number(first.get('a') ?? 0)}-${Number(positions.get('a'))}-${sequence}`,
    });
    await driven.write(items(0, 3), { positions: { a: 3 } });
    await driven.write(items(3, 5), { positions: { a: 5 } });
    await driven.close();
    expect(await objectKeys(buckets(), prefix)).toEqual([`${prefix}a-0-3-1`, `${prefix}a-3-5-2`]);
  });

  it('writes an object for each by, and all of them count at once', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: `${prefix}{by}-{sequence}.ndjson`,
      by: ({ id }) => (id % 2 === 0 ? 'even' : 'odd'),
    });
    // The second of the two fails for good.
    buckets().faults.plan({
      on: ({ key, operation }) => operation === 'PutObject' && key.includes('odd'),
      fault: { kind: 'error', status: 403, code: 'AccessDenied' },
    });
    await expect(driven.write(items(0, 4), { positions: { a: 4 } })).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
    });
    expect(await committed(prefix)).toEqual([]);
    await driven.write(items(0, 4), { positions: { a: 4 }, attempt: 2 });
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 2, void: [[1, 1]], pending: [] });
    // What the first attempt left is taken away.
    expect(await objectKeys(buckets(), prefix)).toEqual([
      `${prefix}even-0000000002.ndjson`,
      `${prefix}odd-0000000002.ndjson`,
    ]);
    await driven.close();
  });

  it('uploads what is large in parts, and keeps nothing of them when it fails', async () => {
    const prefix = place();
    const driven = await open(prefix, { partBytes: 5 * MIB });
    const wide = Array.from({ length: 120 }, (_, id) => ({ id, text: 'x'.repeat(100_000) }));
    buckets().faults.plan({
      on: 'CompleteMultipartUpload',
      fault: { kind: 'error', status: 403, code: 'AccessDenied' },
    });
    await expect(driven.write(wide, { positions: { a: 120 } })).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
    });
    expect(await buckets().uploads(...[1, 2].map((n) => `${prefix}000000000${n}.ndjson`))).toEqual([]);
    await driven.write(wide, { positions: { a: 120 }, attempt: 2 });
    await driven.close();
    expect(await committed(prefix)).toEqual(wide);
    expect(await buckets().uploads(...[1, 2].map((n) => `${prefix}000000000${n}.ndjson`))).toEqual([]);
  });

  it.each(['loseAnswer', 'reset'] as const)(
    'writes once where any one of its requests ends in: %s',
    async (kind) => {
      const prefix = place();
      const driven = await open(prefix);
      // The ledger twice for each write, and the object.
      for (let n = 0; n < 3; n += 1) {
        const fault = buckets().faults.plan({
          on: ({ operation }) => operation === 'PutObject',
          after: n,
          fault: { kind },
        });
        await driven.write(items(n, n + 1), { positions: { a: n + 1 } });
        expect(fault.met).toBe(1);
      }
      await driven.close();
      expect(await ledgerOf(prefix)).toMatchObject({
        committed: 3,
        void: [],
        pending: [],
        positions: [['a', 3]],
      });
      expect(await committed(prefix)).toEqual(items(0, 3));
    },
  );

  it('finds that a write was committed, where the answer never came', async () => {
    const prefix = place();
    const driven = await open(prefix, { retryMs: 0 });
    await driven.write(items(0, 2), { positions: { a: 2 } });
    const lost = buckets().faults.plan({ on: isLedger, after: 1, fault: { kind: 'loseAnswer' } });
    const again = { positions: { a: 5 } };
    await expect(driven.write(items(2, 5), again)).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    expect(lost.met).toBe(1);
    await driven.write(items(2, 5), { ...again, attempt: 2 });
    await driven.write(items(5, 6), { positions: { a: 6 } });
    await driven.close();
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 3, void: [], positions: [['a', 6]] });
    expect(await committed(prefix)).toEqual(items(0, 6));
  });

  it('takes no other write for the one whose answer never came', async () => {
    const prefix = place();
    const driven = await open(prefix, { retryMs: 0 });
    const { faults } = buckets();
    faults.plan({ on: isLedger, after: 1, fault: { kind: 'loseAnswer' } });
    const first = driven.write(items(0, 2), { positions: { a: 2 } });
    await expect(first).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    // Of another lane, and what is tried a second time is its first step.
    faults.plan({ on: isLedger, after: 1, fault: { kind: 'reset' } });
    const other = { positions: { b: 5 } };
    await expect(driven.write(items(2, 5), other)).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    await driven.write(items(2, 5), { ...other, attempt: 2 });
    await driven.close();
    expect(await committed(prefix)).toEqual(items(0, 5));
    expect((await ledgerOf(prefix)).positions).toEqual([
      ['a', 2],
      ['b', 5],
    ]);
  });

  it('writes again what was not committed, where the answer never came', async () => {
    const prefix = place();
    const driven = await open(prefix, { retryMs: 0 });
    buckets().faults.plan({ on: isLedger, after: 1, fault: { kind: 'reset' } });
    await expect(driven.write(items(0, 3), { positions: { a: 3 } })).rejects.toMatchObject({
      code: 'SW_S3_CONNECTION_LOST',
    });
    await driven.write(items(0, 3), { positions: { a: 3 }, attempt: 2 });
    await driven.close();
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 2, void: [[1, 1]] });
    expect(await committed(prefix)).toEqual(items(0, 3));
    expect(await objectKeys(buckets(), prefix)).toHaveLength(1);
  });

  it('makes what was pending void, and takes it away, before anything new is written', async () => {
    const prefix = place();
    const killed = await openKillable(prefix);
    await killed.write(items(0, 3), { positions: { a: 3 } });
    // Its object is there, and its last step was never made.
    const zombie = await open(prefix);
    const stuck = buckets().faults.plan({ on: isLedger, after: 1, times: 1e9, fault: { kind: 'reset' } });
    const late = zombie.write(items(3, 6), { positions: { a: 6 } });
    late.catch(() => {});
    await expect.poll(() => stuck.met).toBeGreaterThan(0);
    expect(await objectKeys(buckets(), prefix)).toHaveLength(2);
    expect(await committed(prefix)).toEqual(items(0, 3));

    const heir = await openKillable(prefix);
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 1, void: [[2, 2]] });
    expect(await objectKeys(buckets(), prefix)).toHaveLength(1);
    // It is cut elsewhere this time.
    await heir.write(items(3, 4), { positions: { a: 4 } });
    await heir.write(items(4, 8), { positions: { a: 8 } });
    expect(await committed(prefix)).toEqual(items(0, 8));
    expect(await ledgerOf(prefix)).toMatchObject({ committed: 4, void: [[2, 2]] });
    // The zombie gets through again.
    buckets().faults.clear();
    await expect(late).rejects.toMatchObject({ code: 'SW_CHECKPOINT_FENCED' });
    await zombie.abort();
    await killed.kill();
    await heir.kill();
    expect(await committed(prefix)).toEqual(items(0, 8));
  });

  it('does not take the late object of a zombie for one that counts', async () => {
    const prefix = place();
    const zombie = await open(prefix);
    // It stands still between its first step and its second, and another takes over.
    let heir: Driven | undefined;
    buckets().faults.plan({
      on: isObject,
      fault: {
        kind: 'before',
        async run() {
          heir = await openKillable(prefix);
          await heir.write(items(0, 5), { positions: { a: 5 } });
          await heir.write(items(5, 6), { positions: { a: 6 } });
        },
      },
    });
    const seen = buckets().faults.plan({
      on: isLedger,
      after: 1,
      // When its object is there, and before it finds that it has no say any more.
      fault: {
        kind: 'before',
        async run() {
          expect(await objectKeys(buckets(), prefix)).toHaveLength(3);
          expect(await committed(prefix)).toEqual(items(0, 6));
        },
      },
    });
    await expect(zombie.write(items(0, 3), { positions: { a: 3 } })).rejects.toMatchObject({
      code: 'SW_CHECKPOINT_FENCED',
    });
    expect(seen.met).toBe(1);
    expect(zombie.failures).toMatchObject([{ code: 'SW_CHECKPOINT_FENCED' }]);
    // It has taken its object away.
    expect(await objectKeys(buckets(), prefix)).toHaveLength(2);
    await zombie.abort();
    await heir?.close();
    expect(await committed(prefix)).toEqual(items(0, 6));
  });

  it('does not take over a ledger of which the store shows it the content of one moment and the etag of another', async () => {
    const prefix = place();
    const first = await open(prefix);
    await first.write(items(0, 3), { positions: { a: 3 } });
    const key = `${prefix}ledger.json`;
    const former = await buckets().read(key);
    await first.write(items(3, 5), { positions: { a: 5 } });
    const store = openStore(checkReach(buckets().reach, 'torn'));
    let torn = 0;
    const client: S3Store = {
      ...new Killable(buckets().reach).store,
      async get(request, signal) {
        const body = await store.get(request, signal);
        if (request.key !== key || torn > 0) return body;
        torn += 1;
        body.destroy();
        return {
          ...body,
          chunks: (async function* () {
            yield former;
          })(),
        };
      },
    };
    const second = await new Driven(new S3Sink<Item>({ client, ...optionsOf(prefix, {}) })).open(OPTIONS);
    expect(torn).toBe(1);
    expect(await second.positions()).toEqual(new Map([['a', 5]]));
    await second.close();
    store.close();
    client.close();
    await first.abort();
    expect(await committed(prefix)).toEqual(items(0, 5));
  });

  it('is not deceived by a ledger that cannot be read, or is of another checkpoint', async () => {
    const prefix = place();
    await buckets().put(`${prefix}ledger.json`, '{"version":1,"comm');
    const driven = new Driven(new S3Sink<Item>({ ...buckets().reach, ...optionsOf(prefix, {}) }));
    await expect(driven.open(OPTIONS)).rejects.toMatchObject({ code: 'SW_S3_LEDGER_DAMAGED' });
    const whole = {
      version: 1,
      sink: '',
      revision: 1,
      epoch: 'e',
      checkpoint: 'numbers',
      next: 2,
      committed: 1,
    };
    const lists = { void: [], positions: [], pending: [] };
    for (const bad of [
      { positions: [1] },
      { void: [null] },
      { void: [[1]] },
      { pending: [{}] },
      { next: '2' },
      { sink: undefined },
    ]) {
      await buckets().put(`${prefix}ledger.json`, JSON.stringify({ ...whole, ...lists, ...bad }));
      const sink = new S3Sink<Item>({ ...buckets().reach, ...optionsOf(prefix, {}) });
      await expect(new Driven(sink).open(OPTIONS)).rejects.toMatchObject({ code: 'SW_S3_LEDGER_DAMAGED' });
    }
    await driven.abort();
    const other = place();
    const first = await open(other);
    await first.write(items(0, 1), { positions: { a: 1 } });
    await first.close();
    for (const context of [{ checkpoint: 'others' }, {}]) {
      const second = new Driven(new S3Sink<Item>({ ...buckets().reach, ...optionsOf(other, {}) }));
      await expect(second.open(context)).rejects.toMatchObject({ code: 'SW_S3_LEDGER_OCCUPIED' });
      await second.abort();
    }
  });

  it('takes nothing away of others, where a key of its own is taken', async () => {
    const prefix = place();
    const taken = `${prefix}0000000001.ndjson`;
    // As if it were of this sink, but for the epoch.
    const Metadata = { 'streamweld-sequence': '1', 'streamweld-epoch': 'another' };
    await buckets().put(taken, '{"id":9}\n', { Metadata });
    const driven = await open(prefix);
    await expect(driven.write(items(0, 3), { positions: { a: 3 } })).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_EXISTS',
      key: taken,
    });
    await driven.abort();
    const next = await open(prefix);
    await next.write(items(0, 3), { positions: { a: 3 } });
    await next.close();
    expect(await committed(prefix)).toEqual(items(0, 3));
    expect(await readObject(buckets(), taken)).toEqual([{ id: 9 }]);
  });

  it('needs a store that knows conditions', async () => {
    const sink = new S3Sink<Item>({ ...buckets().reach, ...optionsOf(place(), { conditional: false }) });
    const driven = new Driven(sink);
    await expect(driven.open(OPTIONS)).rejects.toMatchObject({ code: 'SW_EXACTLY_ONCE_IMPOSSIBLE' });
    await driven.abort();
  });
});
