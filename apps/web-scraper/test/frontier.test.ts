import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Frontier, type FrontierOptions, type Task } from '../src/frontier.ts';

const start = 'http://a.org/';

function frontier(options: Partial<FrontierOptions> = {}): Frontier {
  return new Frontier(start, {
    maxPages: 100,
    maxDepth: 10,
    perHost: 3,
    delayMs: 0,
    origins: new Set(['http://a.org', 'http://b.org']),
    ...options,
  });
}

const addresses = (tasks: readonly Task[] | undefined) => tasks?.map(({ address }) => address);

/** Hands out the first task, and lets its page have these links. */
async function begin(source: Frontier, links: readonly string[]): Promise<void> {
  const [first] = (await source.pull(10)) as Task[];
  source.answered(first as Task);
  source.found(first as Task, links);
}

describe('Frontier', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('waits while a page is under way, and ends when none is and none waits', async () => {
    const source = frontier();
    const [first] = (await source.pull(10)) as Task[];
    expect(first?.address).toBe(start);
    const next = source.pull(10);
    source.answered(first as Task);
    source.found(first as Task, ['http://a.org/1']);
    const [second] = (await next) as Task[];
    expect(second).toMatchObject({ address: 'http://a.org/1', depth: 1, from: start });
    const last = source.pull(10);
    source.answered(second as Task);
    source.found(second as Task, [start]);
    expect(await last).toBeUndefined();
  });

  it('admits each address once, whoever links it', async () => {
    const source = frontier();
    await begin(source, ['http://a.org/x?b=1&a=2', 'http://a.org/x?a=2&b=1', start, 'http://a.org/y']);
    expect(addresses(await source.pull(10))).toEqual(['http://a.org/x?b=1&a=2', 'http://a.org/y']);
    expect(source.admitted).toBe(3);
  });

  it('counts links that it leaves out: elsewhere, too deep, beyond the pages', async () => {
    const source = frontier({ maxPages: 2, maxDepth: 1 });
    await begin(source, ['http://c.org/', 'http://a.org/1', 'http://a.org/2']);
    const [task] = (await source.pull(10)) as Task[];
    source.answered(task as Task);
    source.found(task as Task, ['http://a.org/deep']);
    expect(source.leftOut).toEqual({ elsewhere: 1, depth: 1, pages: 1, nofollow: 0 });
    expect(await source.pull(10)).toBeUndefined();
  });

  it('hands out no more of an origin than it may be asked at once, and lets none keep others waiting', async () => {
    const source = frontier({ perHost: 2 });
    await begin(source, [
      'http://a.org/1',
      'http://a.org/2',
      'http://a.org/3',
      'http://b.org/1',
      'http://b.org/2',
    ]);
    // Of b.org nothing is known yet: one.
    const tasks = (await source.pull(10)) as Task[];
    expect(addresses(tasks)).toEqual(['http://a.org/1', 'http://b.org/1', 'http://a.org/2']);
    const next = source.pull(10);
    source.answered(tasks[0] as Task);
    expect(addresses(await next)).toEqual(['http://a.org/3']);
  });

  it('answers no more than is asked for', async () => {
    const source = frontier();
    await begin(source, ['http://a.org/1', 'http://a.org/2']);
    expect(await source.pull(1)).toHaveLength(1);
  });

  it('pauses between two requests of an origin, and longer where its robots.txt asks for it', async () => {
    const source = frontier({ delayMs: 100 });
    await begin(source, ['http://a.org/1', 'http://a.org/2']);
    const times: number[] = [];
    const began = performance.now();
    const pulls = (async () => {
      for (let n = 0; n < 2; n += 1) {
        const [task] = (await source.pull(1)) as Task[];
        times.push(performance.now() - began);
        source.slowDown((task as Task).address, 1000);
      }
    })();
    await vi.runAllTimersAsync();
    await pulls;
    expect(times).toEqual([100, 1100]);
  });

  it('hands out again what is to be tried again, not before its time, and goes on meanwhile', async () => {
    const source = frontier();
    await begin(source, ['http://a.org/1', 'http://a.org/2']);
    const [one, two] = (await source.pull(2)) as [Task, Task];
    source.again(one, 500, false);
    source.answered(two);
    source.found(two, ['http://a.org/3']);
    expect(addresses(await source.pull(2))).toEqual(['http://a.org/3']);
    const retried = source.pull(2);
    await vi.advanceTimersByTimeAsync(499);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await retried).toMatchObject([{ address: 'http://a.org/1', attempt: 2 }]);
  });

  it('asks a server for nothing while it wants to be left alone, and asks others', async () => {
    const source = frontier();
    await begin(source, ['http://a.org/1', 'http://a.org/2', 'http://b.org/1']);
    const [one] = (await source.pull(1)) as [Task];
    source.again(one, 2000, true);
    expect(addresses(await source.pull(10))).toEqual(['http://b.org/1']);
    const began = performance.now();
    const held = source.pull(10);
    await vi.advanceTimersByTimeAsync(2000);
    expect(addresses(await held)).toEqual(['http://a.org/1', 'http://a.org/2']);
    expect(performance.now() - began).toBe(2000);
  });

  it('answers the outstanding pull when it is stopped, keeps what waits, and leaves no timer', async () => {
    const source = frontier({ delayMs: 5000 });
    await begin(source, ['http://a.org/1']);
    const pull = source.pull(10);
    expect(vi.getTimerCount()).toBe(1);
    source.stop();
    expect(await pull).toBeUndefined();
    expect(await source.pull(10)).toBeUndefined();
    expect(source.waiting).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes a redirect for a link that is as far from the start', async () => {
    const source = frontier({ maxDepth: 0 });
    const [first] = (await source.pull(1)) as [Task];
    source.answered(first);
    source.redirected(first, 'http://a.org/home');
    expect(await source.pull(1)).toMatchObject([{ address: 'http://a.org/home', depth: 0, hops: 1 }]);
  });
});
