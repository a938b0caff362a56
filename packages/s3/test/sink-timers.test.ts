/** Objects that are completed by time, on a clock that a test moves on. */

import { installRuntime } from '@streamweld/core/connector';
import { VirtualClock } from '@streamweld/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { S3Sink } from '../src/sink.ts';
import type { S3RollOptions } from '../src/sink-options.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readItems } from './writing.ts';

describeWithS3('S3Sink and time', (buckets) => {
  let clock: VirtualClock;
  let uninstall: () => void;
  beforeEach(() => {
    clock = new VirtualClock();
    uninstall = installRuntime(clock);
  });
  afterEach(() => uninstall());

  let places = 0;
  const open = async (roll?: S3RollOptions): Promise<[string, Driven]> => {
    const prefix = `place-${places++}/`;
    const sink = new S3Sink<Item>({
      ...buckets().reach,
      bucket: buckets().bucket,
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      roll,
    });
    return [prefix, await new Driven(sink).open()];
  };

  it('completes an object a minute after its first item, if nothing else does', async () => {
    const [prefix, driven] = await open();
    const first = await driven.write(items(0, 1));
    await clock.advance(59_999);
    const second = await driven.write(items(1, 2));
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
    await clock.advance(1);
    await Promise.all([first?.durable, second?.durable]);
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 2));
    const third = await driven.write(items(2, 3));
    await clock.advance(60_000);
    await third?.durable;
    expect(await objectKeys(buckets(), prefix)).toHaveLength(2);
    await driven.close();
    expect(clock.activeTimers).toBe(0);
  });

  it('completes an object to which nothing came for so long', async () => {
    const [prefix, driven] = await open({ maxAgeMs: Number.POSITIVE_INFINITY, maxIdleMs: 1000 });
    const answers: Promise<void>[] = [];
    for (let n = 0; n < 5; n += 1) {
      const answer = await driven.write(items(n, n + 1));
      if (answer !== undefined) answers.push(answer.durable);
      await clock.advance(999);
    }
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
    await clock.advance(1);
    await Promise.all(answers);
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 5));
    expect(await objectKeys(buckets(), prefix)).toHaveLength(1);
    await driven.close();
    expect(clock.activeTimers).toBe(0);
  });

  it('sets no timer that outlives what it is for', async () => {
    const [, driven] = await open({ maxIdleMs: 1000, maxItems: 2 });
    await driven.write(items(0, 3));
    await driven.abort();
    expect(clock.activeTimers).toBe(0);
  });
});
