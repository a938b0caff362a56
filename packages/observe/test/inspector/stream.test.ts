/** What the inspector tells whom, by real requests: samples, history, items, and what becomes of buttons. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, DispatchedPipelineBuilder, from } from '@streamweld/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { inspector } from '../../src/inspector/inspector.ts';
import { type Answered, ask, endless, eventsOf, idOf, nextEvent, open, tokenOf } from './running.ts';

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

  it('tells between two samples what has moved since the last', async () => {
    const pipeline = endless((n) => n);
    void running(pipeline);
    const { events } = await opened(pipeline);
    const stream = await events();
    const { atMs, id } = await nextEvent(stream, 'sample');
    const moved = await nextEvent(stream, 'moved');
    expect(moved).toMatchObject({ id, with: atMs, activity: expect.stringMatching(/^[0-3]{2}$/) });
    expect(moved['items']).toHaveLength(2);
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

describe('history', () => {
  it('answers the points of the curves that are asked for, as long as somebody watched', async () => {
    const pipeline = endless((n) => n);
    void running(pipeline);
    const { events, get } = await opened(pipeline);
    const stream = await events();
    const id = idOf(await nextEvent(stream, 'sample'));
    for (let n = 0; n < 3; n++) await nextEvent(stream, 'sample');
    const { status, body } = await get(`/history?pipeline=${id}&series=numbers%230:rate&series=nothing`);
    expect(status).toBe(200);
    const { times, series } = JSON.parse(body) as { times: number[]; series: Record<string, number[]> };
    expect(times.length).toBeGreaterThanOrEqual(4);
    expect(Object.keys(series)).toEqual(['numbers#0:rate']);
    expect(series['numbers#0:rate']).toHaveLength(times.length);
    expect((await get('/history?pipeline=none')).status).toBe(404);
    await stream.return();
  });
});

describe('items', () => {
  const shown = async (
    target: ConcurrentPipeline<unknown>,
    stage: string,
    options: Parameters<typeof inspector>[1] = { items: true },
  ): Promise<Answered> => {
    void running(target);
    const { events, get } = await opened(target, options);
    const stream = await events();
    const id = idOf(await nextEvent(stream, 'sample'));
    const answer = await get(`/items?pipeline=${id}&stage=${encodeURIComponent(stage)}`);
    await stream.return();
    return answer;
  };

  it.each(['numbers#0', 'nowhere#1'])('answers the first of the next batch of %s, as text', async (stage) => {
    const { status, body } = await shown(
      endless((n) => ({ n, html: '<script>' })),
      stage,
    );
    expect(status).toBe(200);
    const { of, items } = JSON.parse(body) as { of: number; items: string[] };
    expect(of).toBeGreaterThanOrEqual(5);
    expect(items).toHaveLength(5);
    expect(items[0]).toMatch(/^\{ n: \d+, html: "<script>" \}$/u);
  });

  it('shows of an item what a function lets through, and nothing of one that it fails for', async () => {
    const pipeline = endless((n) => ({ n, password: 'hunter2' }));
    const items = (item: unknown): unknown => ({ n: (item as { n: number }).n });
    const { body } = await shown(pipeline, 'nowhere#1', { items });
    expect(body).toContain('{ n: ');
    expect(body).not.toContain('hunter2');
    const failing = await shown(
      endless((n) => ({ n, password: 'hunter2' })),
      'nowhere#1',
      {
        items: (item) => {
          throw new Error(JSON.stringify(item));
        },
      },
    );
    expect((JSON.parse(failing.body) as { items: string[] }).items[0]).toBe('[`items` threw]');
  });

  it('never shows one unless it is allowed to', async () => {
    expect(
      (
        await shown(
          endless((n) => ({ n })),
          'nowhere#1',
          {},
        )
      ).status,
    ).toBe(404);
  });

  it('goes on where items cannot be shown', async () => {
    const pipeline = endless(() => {
      const item: Record<string, unknown> = { big: 2n ** 70n };
      item['self'] = item;
      return Object.defineProperty(item, 'bad', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      });
    });
    const { body } = await shown(pipeline, 'nowhere#1');
    expect(body).toContain('{ big: 1180591620717411303424n, self: [circular], bad: [getter] }');
    expect(pipeline.state).toBe('running');
  });

  it('finds the sinks of dispatchers behind dispatchers, and of one that is watched by itself', async () => {
    const inner = new DispatchedPipelineBuilder<number>({ name: 'in/ner' }).broadcast();
    await inner.subscribeSink({ name: 'leaf', write: () => {} });
    const outer = new DispatchedPipelineBuilder<number>({ name: 'out/er' }).broadcast();
    await outer.subscribeSink(inner.createSink());
    const pipeline = new ConcurrentPipeline(from(endlessNumbers()), outer.createSink()).name('nested');
    void running(pipeline);
    const { events, get } = await opened([pipeline, inner], { items: true });
    const stream = await events();
    for (const name of ['nested', 'in/ner']) {
      const sample = await nextEvent(stream, 'sample', (each) => each['name'] === name);
      const [id, stages] = [idOf(sample), sample['stages']];
      const { id: leaf } =
        (stages as { name: string; id: string }[]).find((stage) => stage.name === 'leaf') ?? {};
      const { body } = await get(`/items?pipeline=${id}&stage=${encodeURIComponent(leaf ?? '')}`);
      expect(JSON.parse(body), name).toMatchObject({
        items: expect.arrayContaining([expect.stringMatching(/^\d+$/u)]),
      });
      const measured = await nextEvent(
        stream,
        'sample',
        (each) => each['name'] === name && JSON.stringify(each).includes('"latency"'),
      );
      expect(
        (measured['stages'] as { name: string }[]).find((stage) => stage.name === 'leaf'),
      ).toHaveProperty('latency');
    }
    await stream.return();
  });

  it('answers that none came, where none comes', async () => {
    const { body } = await shown(new ConcurrentPipeline(from(stuck()), () => {}), 'nothing like it');
    expect(JSON.parse(body)).toEqual({ of: 0, items: [] });
  });
});

describe('control', () => {
  it('pauses, resumes and drains, and says what cannot be', async () => {
    const pipeline = endless((n) => n);
    const { events, get } = await opened(pipeline, { control: true });
    const stream = await events();
    const id = idOf(await nextEvent(stream, 'sample'));
    const press = (action: string): Promise<Answered> =>
      get(`/control?pipeline=${id}&action=${action}`, 'POST');
    const early = await press('pause');
    expect(early.status).toBe(409);
    expect(early.body).toContain('Call run() first');
    const run = running(pipeline);
    await nextEvent(stream, 'sample', ({ state }) => state === 'running');
    expect(JSON.parse((await press('pause')).body)).toEqual({ state: 'paused' });
    await nextEvent(stream, 'sample', ({ state }) => state === 'paused');
    expect(JSON.parse((await press('resume')).body)).toEqual({ state: 'running' });
    for (const action of ['', 'abort', 'toString', '__proto__'])
      expect((await press(action)).status).toBe(404);
    expect((await press('drain')).status).toBe(202);
    await nextEvent(stream, 'sample', ({ isOver }) => isOver === true);
    expect(await run).toMatchObject({ written: expect.any(Number) });
    await stream.return();
  });

  it('presses nothing unless it is allowed to, nor what has no such buttons', async () => {
    const pipeline = endless((n) => n);
    void running(pipeline);
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'd' }).broadcast();
    for (const [target, control] of [
      [pipeline, false],
      [dispatcher, true],
    ] as const) {
      const { events, get } = await opened(target, { control });
      const stream = await events();
      const id = idOf(await nextEvent(stream, 'sample'));
      expect((await get(`/control?pipeline=${id}&action=pause`, 'POST')).status).toBe(404);
      await stream.return();
    }
    expect(pipeline.state).toBe('running');
  });
});

function endlessNumbers(): { pull: () => Promise<number[]> } {
  let n = 0;
  return {
    pull: async () => {
      await sleep(5);
      return [n++, n++];
    },
  };
}

function stuck(): { pull: () => Promise<number[]> } {
  return { pull: () => new Promise(() => {}) };
}
