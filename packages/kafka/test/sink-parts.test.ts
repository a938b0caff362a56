/** What KafkaSink is made of, where nothing has to run: the pace, and what comes again of a write that failed. */

import { withVirtualClock } from '@streamweld/testing';
import { describe, expect, it } from 'vitest';
import type { KafkaAdmin, KafkaClient } from '../src/client.ts';
import { KafkaError } from '../src/errors.ts';
import { checkSinkOptions } from '../src/sink-options.ts';
import { Pace } from '../src/sink-pace.ts';
import { Records } from '../src/sink-records.ts';
import { Remainders } from '../src/sink-remainders.ts';
import { Topics } from '../src/sink-topics.ts';

describe('Pace', () => {
  it('grows as long as what is sent goes through in time, up to a bound', () => {
    const pace = new Pace(6000);
    const first = pace.bytes;
    pace.took(pace.bytes, 10);
    expect(pace.bytes).toBe(2 * first);
    for (let time = 0; time < 30; time++) pace.took(pace.bytes, 999);
    expect(pace.bytes).toBe(8 << 20);
  });

  it('does not grow by sends that were small', () => {
    const pace = new Pace(6000);
    const first = pace.bytes;
    for (let time = 0; time < 30; time++) pace.took(100, 1);
    expect(pace.bytes).toBe(first);
  });

  it('falls below what took too long, down to a bound', () => {
    const pace = new Pace(6000);
    pace.took(100_000, 1001);
    expect(pace.bytes).toBe(50_000);
    for (let time = 0; time < 30; time++) pace.took(pace.bytes, 5000);
    expect(pace.bytes).toBe(16 << 10);
  });
});

describe('Topics', () => {
  it('asks at once for all that are not known, and not again for what was missing a moment ago', () =>
    withVirtualClock({}, async (clock) => {
      let [calls, outstanding, most] = [0, 0, 0];
      const admin: Partial<KafkaAdmin> = {
        connect: () => Promise.resolve(),
        close: () => Promise.resolve(),
        async partitions(topic) {
          calls += 1;
          outstanding += 1;
          most = Math.max(most, outstanding);
          await clock.sleep(3000);
          outstanding -= 1;
          if (topic === 'there') return 3;
          throw new KafkaError('SW_KAFKA_TOPIC_UNKNOWN', `There is no ${topic}.`);
        },
      };
      const life = new AbortController();
      const topics = new Topics(
        { createAdmin: () => admin as KafkaAdmin } as KafkaClient,
        1 << 20,
        life.signal,
      );
      const names = ['there', ...Array.from({ length: 20 }, (_, n) => `missing-${n}`)];
      const learn = () => clock.run(topics.learn(names, life.signal));
      expect((await learn()).size).toBe(20);
      expect([calls, most]).toEqual([21, 21]);
      expect(topics.get('there')?.partitions).toBe(3);
      expect((await learn()).size).toBe(20);
      expect(calls).toBe(21);
      await clock.advance(5000);
      expect((await learn()).size).toBe(20);
      expect(calls).toBe(41);
    }));
});

describe('Records', () => {
  it.each([
    ['a list', ['a']],
    ['a Map', new Map([['a', 'b']])],
    ['text', 'a'],
  ])('takes no headers that are %s', (_, headers) => {
    const options = checkSinkOptions({
      brokers: 'a:1',
      topic: 't',
      headers: () => headers as never,
    });
    expect(() => new Records(options).make('item')).toThrow(
      expect.objectContaining({
        code: 'SW_KAFKA_RECORD_INVALID',
        message: expect.stringContaining('headers'),
      }),
    );
  });
});

describe('Remainders', () => {
  const [a, b, c, d] = [{ at: 'a' }, { at: 'b' }, { at: 'c' }, { at: 'd' }];

  it('knows what comes again from the first that failed on, and what of it is written', () => {
    const remainders = new Remainders<object>(2);
    remainders.keepFrom([a, b, c, d], 1, new Set([0, 2]));
    expect(remainders.take([b, c])).toBeUndefined();
    expect(remainders.take([b, c, { at: 'd' }])).toBeUndefined();
    expect(remainders.take([b, c, d])).toEqual(new Set([1]));
    expect(remainders.take([b, c, d])).toBeUndefined();
  });

  it('knows what comes again without the bad ones', () => {
    const remainders = new Remainders<object>(2);
    remainders.keepWithout([a, b, c, d], new Set([1]), new Set([0, 2, 3]));
    expect(remainders.take([a, c, d])).toEqual(new Set([0, 1, 2]));
  });

  it('keeps no more than there are writes, the last ones, and nothing of which nothing is written', () => {
    const remainders = new Remainders<object>(1);
    remainders.keepFrom([a, b], 0, new Set([1]));
    remainders.keepFrom([c, d], 0, new Set([1]));
    remainders.keepFrom([a, d], 0, new Set());
    expect(
      [
        [a, b],
        [c, d],
        [a, d],
      ].map((items) => remainders.take(items)?.size),
    ).toEqual([undefined, 1, undefined]);
  });
});
