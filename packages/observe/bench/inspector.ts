/**
 * What the inspector costs: `pnpm bench:inspector`. A pipeline of fifty stages (a source, 24 operators, a dispatcher and 24
 * sinks), looked at a hundred times a second: each look goes to the page, what moved in it or, four times a second, a sample.
 *
 *     the pipeline   runs as fast as it can, on one event loop with the inspector; another process reads the samples, or
 *                    none does, by turns, so that a busy machine slows both alike
 *     the page       a real Chromium draws the samples of a pipeline that rests between its pulls
 *
 * The pipeline is measured once more with the twenty looks a second that a page gets in truth. It and the page are apart,
 * because on two processors a browser takes from a pipeline what is not the inspector's. Told is what the pipeline loses, of
 * items a second by the clock on the wall, and of items for a second of the processor; and of the page, how long from frame
 * to frame, and how long its thread works for a frame: script, styles, layout, painting. It wants a machine that does
 * nothing else: caches that other programs empty are filled again by each sample.
 * `--check` exits with 1 where the pipeline loses 3 % or more by the processor at a hundred looks, or
 * the page works 30 ms or more for a frame. `ROUNDS=5` shortens it.
 */

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, DispatchedPipelineBuilder, type Flow, from } from '@streamweld/core';
import { makeHandler } from '../src/inspector/inspector.ts';
import { Sampler } from '../src/shared/sampler.ts';
import { launch } from '../test/inspector/browser.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 30);
const SECONDS = Number(process.env['SECONDS'] ?? 0.5);
const PAGE_SECONDS = 10;
const MOST_LOST = 0.03;
const MOST_FRAME_MS = 30;
const LOOKS_A_SECOND = 100;

interface Item {
  readonly id: number;
  readonly text: string;
}

let written = 0;

/** @param restMs between two pulls of its source */
async function fiftyStages(restMs: number): Promise<ConcurrentPipeline<Item>> {
  const dispatcher = new DispatchedPipelineBuilder<Item>({ name: 'shares' }).partition(24, ({ id }) => id);
  for (let partition = 0; partition < 24; partition++) {
    const write = (items: readonly Item[]): void => {
      for (const { text } of items) written += (JSON.parse(text) as { n: number }).n;
    };
    await dispatcher.subscribeSink({ name: `sink ${partition}`, write }, partition);
  }
  let id = 0;
  const items = (count: number): Item[] =>
    Array.from({ length: count }, () => ({ id: id++, text: '{"n":1,"name":"x"}' }));
  const source = {
    name: 'source',
    pull: (demand: number) => (restMs === 0 ? items(demand) : sleep(restMs, items(demand))),
  };
  let flow: Flow<Item> = from(source);
  for (let at = 0; at < 24; at++) flow = flow.map((item) => item);
  return new ConcurrentPipeline(flow, dispatcher.createSink()).name('fifty stages');
}

interface Served {
  readonly url: string;
  /** Samples that were sent. */
  readonly sent: () => number;
  readonly close: () => Promise<void>;
}

async function served(pipeline: ConcurrentPipeline<Item>, sampler: Sampler): Promise<Served> {
  const handler = makeHandler(pipeline, {}, sampler);
  let sent = 0;
  const server = createServer((req, res) => {
    const write = res.write.bind(res) as (text: string) => boolean;
    res.write = ((text: string) => {
      sent += 1;
      return write(text);
    }) as typeof res.write;
    handler.node(req, res);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const run = pipeline.run().catch(() => {});
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/#${handler.token}`,
    sent: () => sent,
    close: async () => {
      handler.close();
      server.close();
      server.closeAllConnections();
      await pipeline.abort();
      await run;
    },
  };
}

/** Reads a stream while it is told to, and does nothing with it. */
const READER = `
  let abort;
  process.on('message', async ({ url, token }) => {
    abort?.abort();
    if (url === undefined) return;
    abort = new AbortController();
    try {
      const { body } = await fetch(url, { headers: { 'x-streamweld-token': token }, signal: abort.signal });
      for await (const chunk of body);
    } catch {}
  });
`;

interface Period {
  readonly aSecond: number;
  readonly aCpuSecond: number;
}

async function period(): Promise<Period> {
  const [began, before, cpu] = [performance.now(), written, process.cpuUsage()];
  await sleep(SECONDS * 1000);
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const items = written - before;
  return { aSecond: (items * 1000) / ms, aCpuSecond: (items * 1e6) / (user + system) };
}

async function measurePipeline(sampler: Sampler): Promise<number> {
  const { url, sent, close } = await served(await fiftyStages(0), sampler);
  const { origin, hash } = new URL(url);
  const reader = spawn(process.execPath, ['--input-type=module', '--eval', READER], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [alone, read]: [Period[], Period[]] = [[], []];
  let samples = 0;
  // The first rounds count for nothing: the compiler does not know the work yet.
  for (let round = -2; round < ROUNDS; round++) {
    const first = await period();
    reader.send({ url: `${origin}/stream`, token: hash.slice(1) });
    // Until it comes.
    for (const before = sent(); sent() < before + 3; ) await sleep(20);
    const before = sent();
    const second = await period();
    reader.send({});
    await sleep(50);
    if (round < 0) continue;
    samples += sent() - before;
    alone.push(first);
    read.push(second);
  }
  reader.disconnect();
  await close();
  const lost = (of: (period: Period) => number): number =>
    median(read.map((each, at) => 1 - of(each) / of(alone[at] as Period)));
  const [wall, cpu] = [lost(({ aSecond }) => aSecond), lost(({ aCpuSecond }) => aCpuSecond)];
  const perSecond = (periods: readonly Period[]): string =>
    Math.round(median(periods.map(({ aSecond }) => aSecond))).toLocaleString('en');
  console.log(`the pipeline, ${ROUNDS} rounds of ${SECONDS} s, medians, Node ${process.version}
  looks a second           ${(samples / ROUNDS / SECONDS).toFixed(0)}
  items a second           ${perSecond(alone)} alone, ${perSecond(read)} watched
  lost by the wall         ${percent(wall)}
  lost by the processor    ${percent(cpu)}`);
  return cpu;
}

/** Runs in the page before it does: notes the time from frame to frame. */
const NOTE_FRAMES = `
  globalThis.frames_ = [];
  let before = performance.now();
  const note = (now) => { globalThis.frames_.push(now - before); before = now; requestAnimationFrame(note); };
  requestAnimationFrame(note);
`;

async function measurePage(): Promise<number> {
  const { url, sent, close } = await served(await fiftyStages(5), quick());
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  await page.addInitScript(NOTE_FRAMES);
  await page.goto(url);
  await page.waitForSelector('g.stage');
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const taskMs = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000;
  };
  await sleep(2000);
  await page.evaluate('globalThis.frames_.length = 0');
  const [began, worked, before] = [performance.now(), await taskMs(), sent()];
  await sleep(PAGE_SECONDS * 1000);
  const frames = (await page.evaluate<number[]>('globalThis.frames_')).sort((a, b) => a - b);
  const seconds = (performance.now() - began) / 1000;
  const work = ((await taskMs()) - worked) / frames.length;
  const samples = (sent() - before) / seconds;
  await browser.close();
  await close();
  const within = (share: number): string =>
    (frames[Math.min(frames.length - 1, Math.floor(frames.length * share))] ?? 0).toFixed(1);
  console.log(`the page, ${PAGE_SECONDS} s, Chromium ${browser.version()}
  looks a second           ${samples.toFixed(0)}
  frames a second          ${(frames.length / seconds).toFixed(0)}
  from frame to frame      ${within(0.5)} ms in the middle, 19 of 20 under ${within(0.95)} ms
  its thread, for a frame  ${work.toFixed(1)} ms`);
  return work;
}

const lost = await measurePipeline(quick());
await measurePipeline(new Sampler());
const work = await measurePage();
if (process.argv.includes('--check') && (lost >= MOST_LOST || work >= MOST_FRAME_MS)) process.exitCode = 1;

function quick(): Sampler {
  return new Sampler({ lookMs: 1000 / LOOKS_A_SECOND, looks: LOOKS_A_SECOND / 4 });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
