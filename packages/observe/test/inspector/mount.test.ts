/** The inspector in servers of others, and what becomes of its own: ports that are taken, pages that read nothing, the end. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, from, isStreamWeldError, OptionError } from '@streamweld/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Inspector, inspector, inspectorHandler, makeHandler } from '../../src/inspector/inspector.ts';
import { Sampler } from '../../src/shared/sampler.ts';
import { ask, endless, eventsOf, nextEvent, open, tokenOf } from './running.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function running(pipeline: ConcurrentPipeline<number> = endless((n) => n)): ConcurrentPipeline<number> {
  const run = pipeline.run().catch((error: unknown) => error);
  endings.push(async () => {
    await pipeline.abort();
    await run;
  });
  return pipeline;
}

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const MOST_UNREAD = 65_536;

/** Samples of it have some twenty thousand letters. */
function large(): ConcurrentPipeline<number> {
  let flow = from({ name: 'a'.repeat(100), pull: () => sleep(2, [1]) });
  for (let n = 0; n < 60; n++) flow = flow.map((each) => each);
  return running(new ConcurrentPipeline(flow, () => {}));
}

function quick(): Sampler {
  return new Sampler({ lookMs: 4, looks: 1 });
}

describe('inspectorHandler().node', () => {
  it('is mounted under a path, and leaves what is not its own to others', async () => {
    const handler = inspectorHandler(running(), { path: '/inspector' });
    endings.push(handler.close);
    const url = await served((req, res) => handler.node(req, res, () => res.end('mine')));
    const headers = { host: new URL(url).host, 'x-streamweld-token': handler.token };
    expect((await ask(url, { path: '/', headers })).body).toBe('mine');
    expect((await ask(url, { path: '/inspectors', headers })).body).toBe('mine');
    expect(await ask(url, { path: '/inspector', headers })).toMatchObject({
      status: 308,
      headers: { location: './inspector/' },
    });
    expect((await ask(url, { path: '/inspector/', headers })).body).toContain(
      '<script type="module" src="page.js">',
    );
    const stream = eventsOf(await open(url, { path: '/inspector/stream', headers }));
    expect(await nextEvent(stream, 'sample')).toMatchObject({ name: 'endless' });
    await stream.return();
  });

  it('is mounted where its place has been taken off the path', async () => {
    const handler = inspectorHandler(running());
    endings.push(handler.close);
    const url = await served((req, res) => {
      const originalUrl = req.url ?? '';
      Object.assign(req, { originalUrl, url: originalUrl.replace(/^\/deep\/inspector\/?/u, '/') });
      handler.node(req, res);
    });
    const headers = { host: new URL(url).host };
    expect(await ask(url, { path: '/deep/inspector', headers })).toMatchObject({
      status: 308,
      headers: { location: './inspector/' },
    });
    expect((await ask(url, { path: '/deep/inspector/', headers })).status).toBe(200);
    expect((await ask(url, { path: '/deep/inspector/page.css', headers })).status).toBe(200);
    expect((await ask(url, { path: '/deep/inspector/stream', headers })).status).toBe(403);
    expect((await ask(url, { path: '/deep/inspector/nothing', headers })).status).toBe(404);
  });

  it('is reached under names that it is given, and no others', async () => {
    const handler = inspectorHandler(running(), { hosts: ['Metrics.example'] });
    endings.push(handler.close);
    const url = await served(handler.node);
    expect((await ask(url, { headers: { host: 'metrics.example:8443' } })).status).toBe(200);
    expect((await ask(url, { headers: { host: 'other.example' } })).status).toBe(403);
  });
});

describe('inspectorHandler().fetch', () => {
  it('answers requests of the web, and ends the stream when it is not read any more', async () => {
    const pipeline = running();
    const snapshot = vi.spyOn(pipeline, 'snapshot');
    const { fetch, token, close } = inspectorHandler(pipeline, { path: '/i' });
    endings.push(close);
    const headers = { 'x-streamweld-token': token };
    const at = (place: string, init: RequestInit = {}): Promise<Response> =>
      fetch(new Request(`http://localhost:8080${place}`, init));
    expect((await at('/other')).status).toBe(404);
    expect((await at('/i')).headers.get('location')).toBe('./i/');
    const page = await at('/i/');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('<!doctype html>');
    expect((await at('/i/stream')).status).toBe(403);
    expect((await at('/i/stream', { headers: { ...headers, origin: 'http://evil.example' } })).status).toBe(
      403,
    );
    expect((await fetch(new Request('http://evil.example/i/', { headers }))).status).toBe(403);
    expect((await at('/i/control?pipeline=1', { method: 'POST', headers })).status).toBe(404);
    const { body, status } = await at('/i/stream', { headers });
    expect(status).toBe(200);
    const stream = eventsOf(body as unknown as AsyncIterable<Uint8Array>);
    expect(await nextEvent(stream, 'hello')).toEqual({ control: false, items: false });
    await nextEvent(stream, 'sample');
    await stream.return();
    const before = snapshot.mock.calls.length;
    await sleep(300);
    expect(snapshot.mock.calls.length).toBe(before);
  });

  it('keeps no more than it must of what nobody reads', async () => {
    const { fetch, token, close } = makeHandler(large(), {}, quick());
    endings.push(close);
    const headers = { 'x-streamweld-token': token };
    const [unread, read] = await Promise.all(
      [0, 1].map(() => fetch(new Request('http://localhost/stream', { headers }))),
    );
    const stream = eventsOf(read?.body as unknown as AsyncIterable<Uint8Array>);
    for (let n = 0; n < 30; n++) await nextEvent(stream, 'sample');
    await stream.return();
    close();
    const bytes = (await unread?.arrayBuffer())?.byteLength ?? 0;
    expect(bytes).toBeGreaterThan(MOST_UNREAD / 2);
    expect(bytes).toBeLessThan(2 * MOST_UNREAD);
  });
});

describe('inspector', () => {
  const opened = async (...args: Parameters<typeof inspector>): Promise<Inspector> => {
    const at = await inspector(...args);
    endings.push(at.close);
    return at;
  };

  it('says so where its port is taken, and the pipeline goes on', async () => {
    const pipeline = running();
    const { url } = await opened(pipeline);
    const port = Number(new URL(url).port);
    const error: unknown = await inspector(pipeline, { port }).catch((thrown: unknown) => thrown);
    expect(isStreamWeldError(error)).toBe(true);
    expect(error).toMatchObject({
      code: 'SW_INSPECTOR_LISTEN_FAILED',
      message: expect.stringContaining(`127.0.0.1, port ${port} (EADDRINUSE)`),
    });
    expect(pipeline.state).toBe('running');
  });

  it('refuses options that cannot be, at once', () => {
    const pipeline = endless((n) => n);
    for (const options of [
      { port: 70_000 },
      { port: 1.5 },
      { host: '' },
      { control: 'yes' },
      { items: 1 },
      { hosts: ['http://x'] },
      { hosts: 'x' },
      { path: 'x' },
      { token: 'short' },
      { token: 'with a space in it, which is bad' },
      { tokens: 'x' },
    ])
      expect(() => inspector(pipeline, options as never), JSON.stringify(options)).toThrow(OptionError);
    expect(() => inspector({} as never)).toThrow(OptionError);
    expect(() => inspectorHandler([pipeline, 1 as never])).toThrow(OptionError);
  });

  it('tells nobody the token that it was given', () => {
    expect(() =>
      inspector(
        endless((n) => n),
        { token: 'se cret' },
      ),
    ).toThrow(/7 characters/u);
    expect(() =>
      inspector(
        endless((n) => n),
        { token: 'se cret' },
      ),
    ).not.toThrow(/se cret/u);
  });

  it('takes a token, a path and a port of yours', async () => {
    const { url, close } = await opened(running(), { token: 'a'.repeat(20), path: '/x' });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/x\/#a{20}$/u);
    const port = Number(new URL(url).port);
    await close();
    expect((await opened(running(), { port })).url).toContain(`:${port}/`);
  });

  it('lets a page miss samples that it does not read, and holds nothing else up', async () => {
    const pipeline = large();
    const handler = makeHandler(pipeline, {}, quick());
    endings.push(handler.close);
    const answers: ServerResponse[] = [];
    const url = await served((req, res) => {
      answers.push(res);
      handler.node(req, res);
    });
    const headers = { host: new URL(url).host, 'x-streamweld-token': handler.token };
    const unread = await open(url, { path: '/stream', headers });
    const stream = eventsOf(await open(url, { path: '/stream', headers }));
    const [first] = answers;
    let [written, behind] = [0, 0];
    // The system takes some megabytes; from then on the samples are missed.
    while (behind < 50) {
      const sample = await nextEvent(stream, 'sample');
      expect(sample['written']).toBeGreaterThanOrEqual(written);
      written = sample['written'] as number;
      const waiting = first?.writableLength ?? 0;
      expect(waiting).toBeLessThan(2 * MOST_UNREAD);
      if (waiting > MOST_UNREAD) behind += 1;
    }
    expect(pipeline.state).toBe('running');
    unread.destroy();
    await stream.return();
  });

  it('lets in no more pages than a person can have', async () => {
    const { url } = await opened(running());
    const headers = { host: new URL(url).host, 'x-streamweld-token': tokenOf(url) };
    const pages = await Promise.all(
      Array.from({ length: 101 }, () => open(url, { path: '/stream', headers })),
    );
    expect(pages.filter(({ statusCode }) => statusCode === 503)).toHaveLength(1);
    expect(pages.filter(({ statusCode }) => statusCode === 200)).toHaveLength(100);
    for (const response of pages) response.destroy();
  });

  it('ends streams when it is closed, twice too, and answers no more', async () => {
    const { url, close } = await opened(running());
    const headers = { host: new URL(url).host, 'x-streamweld-token': tokenOf(url) };
    const response = await open(url, { path: '/stream', headers });
    const ended = Promise.allSettled([response.resume().toArray()]);
    await Promise.all([close(), close()]);
    await ended;
    await expect(ask(url, { headers })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('keeps no process alive, not with a page open either', async () => {
    const file = path.join(import.meta.dirname, '../children/inspected.ts');
    const child = spawn(process.execPath, ['--conditions=@streamweld/source', '--import', 'tsx', file]);
    const exited = once(child, 'exit');
    const [url] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const headers = { host: new URL(url).host, 'x-streamweld-token': tokenOf(url.trim()) };
    const page = await open(url, { path: '/stream', headers });
    page.on('error', () => {});
    const rest = child.stdout.toArray();
    child.stdin.write('run\n');
    expect((await rest).join('')).toContain('written 3');
    expect(await exited).toEqual([0, null]);
    page.destroy();
  });
});
