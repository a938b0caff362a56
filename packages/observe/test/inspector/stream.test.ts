/** What the inspector tells whom, by real requests: samples, history, items, and what becomes of buttons. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, from } from '@streamweld/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { inspector } from '../../src/inspector/inspector.ts';
import { type Answered, ask, endless, eventsOf, nextEvent, open, tokenOf } from './running.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function running<T>(pipeline: ConcurrentPipeline<T>): Promise<unknown> {
  const run = pipeline.run().catch((error: unknown) => error);
  endings.push(async () => {
    if (pipeline.state !== 'done') await pipeline.abort();
    await run;
  });
  return run;
}

async function opened(
  targets: Parameters<typeof inspector>[0],
  options?: Parameters<typeof inspector>[1],
): Promise<{
  readonly url: string;
  readonly add: (target: ConcurrentPipeline<unknown>) => () => void;
  get(path: string, method?: string): Promise<Answered>;
  events(): Promise<ReturnType<typeof eventsOf>>;
  close(): Promise<void>;
}> {
  const { url, close, add } = await inspector(targets, options);
  endings.push(close);
  const headers = { host: new URL(url).host, 'x-streamweld-token': tokenOf(url) };
  return {
    url,
    add,
    close,
    get: (path, method = 'GET') => ask(url, { method, path, headers }),
    events: async () => eventsOf(await open(url, { path: '/stream', headers })),
  };
}

describe('the stream', () => {
  it('begins with what may be done, and goes on with samples of everything that is shown', async () => {
    const [a, b] = [endless((n) => n).name('a'), endless((n) => n).name('b')];
    void running(a);
    void running(b);
    const { events } = await opened([a, b], { control: true });
    const stream = await events();
    expect(await nextEvent(stream, 'hello')).toEqual({ control: true, items: false });
    const first = await nextEvent(stream, 'sample', ({ name }) => name === 'a');
    expect(await nextEvent(stream, 'sample', ({ name }) => name === 'b')).toBeDefined();
    const later = await nextEvent(stream, 'sample', ({ name }) => name === 'a');
    expect(later['written']).toBeGreaterThan(first['written'] as number);
    expect(later['stages']).toMatchObject([
      { kind: 'source' },
      { kind: 'sink', latency: { p50: expect.any(Number) } },
    ]);
    await stream.return();
  });

  it('takes samples only while somebody reads it', async () => {
    const pipeline = endless((n) => n);
    void running(pipeline);
    const snapshot = vi.spyOn(pipeline, 'snapshot');
    const { events, url } = await opened(pipeline);
    await ask(url, { headers: { host: new URL(url).host } });
    expect(snapshot).not.toHaveBeenCalled();
    const stream = await events();
    await nextEvent(stream, 'sample');
    await nextEvent(stream, 'sample');
    await stream.return();
    await vi.waitFor(async () => {
      const before = snapshot.mock.calls.length;
      await sleep(300);
      expect(snapshot.mock.calls.length).toBe(before);
    });
  });

  it('tells who comes late how a run ended, and shows and forgets what is added and taken away', async () => {
    const ended = new ConcurrentPipeline(from([1, 2, 3]), () => {}).name('ended');
    const { events, add } = await opened(ended);
    await ended.run();
    const stream = await events();
    expect(await nextEvent(stream, 'sample')).toMatchObject({ name: 'ended', isOver: true, written: 3 });
    const remove = add(endless((n) => n).name('later') as never);
    const { id } = await nextEvent(stream, 'sample', ({ name }) => name === 'later');
    remove();
    expect(await nextEvent(stream, 'gone')).toEqual({ id });
    const second = await events();
    expect(await nextEvent(second, 'sample')).toMatchObject({ name: 'ended', isOver: true });
    await Promise.all([stream.return(), second.return()]);
  });
});
