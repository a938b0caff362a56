/** The page in a real browser. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, from } from '@streamweld/core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { inspector, type Inspector } from '../../src/inspector/inspector.ts';
import { complaintsOf, launch, whyNoBrowser } from './browser.ts';
import { endless, tokenOf } from './running.ts';

if (whyNoBrowser !== undefined) console.log(`The page of the inspector is not tested: ${whyNoBrowser}`);

const MARKUP = '<script>document.title = "taken"</script><img src=x onerror=alert(1)>';

describe.skipIf(whyNoBrowser !== undefined)('the page of the inspector', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  let pipeline: ConcurrentPipeline<unknown>;
  let run: Promise<unknown>;
  let at: Inspector;

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    pipeline = endless<unknown>((n) => ({ n, text: MARKUP })).name('<b>orders</b>');
    at = await inspector(pipeline, { control: true, items: true });
    run = pipeline.run().catch((error: unknown) => error);
    context = await browser.newContext();
    page = await context.newPage();
    complaints = complaintsOf(page);
    await page.goto(at.url);
    await page.waitForSelector('g.stage');
  });
  afterEach(async () => {
    await context.close();
    await at.close();
    await pipeline.abort();
    await run;
    expect(complaints).toEqual([]);
  });

  const textOf = async (selector: string): Promise<string> => (await page.textContent(selector)) ?? '';
  const countOf = async (tile: string): Promise<number> =>
    Number((await textOf(`[data-tile="${tile}"] strong`)).replaceAll(',', ''));
  /** Waits until the tile shows something else. */
  const changed = (tile: string, from: number): Promise<void> =>
    vi.waitFor(async () => expect(await countOf(tile)).not.toBe(from), { timeout: 20_000, interval: 50 });

  it('draws each stage, the buffer between them, and names as they are', async () => {
    expect(await page.locator('g.stage').count()).toBe(2);
    expect(await page.locator('g.buffer').count()).toBe(1);
    expect(await page.locator('g.stage text.name').allTextContents()).toEqual(['numbers', 'nowhere']);
    expect(await textOf('h1')).toBe('<b>orders</b>');
    expect(await page.locator('h1 b').count()).toBe(0);
    // Of a source that cannot tell.
    expect(await page.locator('[data-tile="behind"]').isVisible()).toBe(false);
  });

  it('shows numbers that move, and curves of them', async () => {
    const before = await countOf('written');
    await changed('written', before);
    expect(await countOf('written')).toBeGreaterThan(before);
    const isPainted = await page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value !== 0);
    })()`);
    expect(isPainted).toBe(true);
  });

  it('tells of a source that is behind how many items, and how long they would take', async () => {
    const source = {
      name: 'log',
      pull: () => sleep(10, { items: [1], position: 'a<b', lane: 'lane 1' }),
      lag: () => [{ lane: 'lane 1', lag: 6000 }],
    };
    const late = new ConcurrentPipeline(from(source), () => {}).name('late');
    at.add(late);
    const ended = late.run().catch((error: unknown) => error);
    await page.click('.tabs button:has-text("late")');
    await page.waitForSelector('[data-tile="behind"]:has-text("6,000"):has-text("at this rate")');
    await page.waitForSelector('[data-table="Positions"] td:has-text(\'"a<b"\')');
    expect(await textOf('[data-table="Positions"] tbody')).toContain('6,000 items');
    await late.abort();
    await ended;
  });

  it('pauses the pipeline, and lets it go on, drain and end', async () => {
    await page.click('text=Pause');
    await page.waitForSelector('.state.paused');
    expect(pipeline.state).toBe('paused');
    const held = pipeline.report.written;
    await vi.waitFor(async () => expect(await countOf('written')).toBe(held), {
      timeout: 20_000,
      interval: 50,
    });
    expect(pipeline.report.written).toBe(held);
    await page.click('text=Resume');
    await changed('written', held);
    expect(pipeline.state).toBe('running');
    await page.click('text=Drain');
    await page.waitForSelector('.state.done');
    expect(await run).toMatchObject({ read: pipeline.report.written });
    expect(await countOf('written')).toBe(pipeline.report.written);
  });

  it('shows an item with markup in it as text', async () => {
    for (const stage of ['numbers', 'nowhere']) {
      await page.locator('g.stage', { hasText: stage }).click();
      await page.click('text=Look at items');
      await page.waitForSelector('.items pre');
      expect(await textOf('.items pre')).toContain('<script>');
      expect(await page.locator('.items pre *').count()).toBe(0);
      expect(await page.locator('.items li').count()).toBe(5);
      await page.click('[aria-label="Close"]');
    }
    expect(await page.title()).toContain('orders');
  });

  it('keeps the token out of the address, and in this tab alone', async () => {
    expect(page.url()).toBe(at.url.replace(/#.*/u, ''));
    await page.reload();
    await page.waitForSelector('.status.live');
    const other = await context.newPage();
    await other.goto(page.url());
    await other.waitForSelector('.status.refused');
    expect(await other.locator('g.stage').count()).toBe(0);
    await other.close();
    complaints.length = 0;
  });

  it('comes back when the server does', async () => {
    const { port, hash } = new URL(at.url);
    await at.close();
    await page.waitForSelector('.status.lost:has-text("Trying again")');
    at = await inspector(pipeline, { port: Number(port), token: hash.slice(1) });
    await page.waitForSelector('.status.live');
    expect(await page.locator('button', { hasText: 'Pause' }).isVisible()).toBe(false);
    // What it could not reach, the browser says.
    expect(complaints.every((complaint) => complaint.includes('Failed to load resource'))).toBe(true);
    complaints.length = 0;
  });

  it('rests while it is hidden, and goes on when it is shown', async () => {
    // A browser without windows shows all its pages: what it would say of a hidden one is said for it.
    const hide = (isHidden: boolean): Promise<unknown> =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));`);
    await hide(true);
    await page.waitForSelector('.status.resting');
    const { written } = pipeline.report;
    const goneOn = (by: number): Promise<void> =>
      vi.waitFor(() => expect(pipeline.report.written).toBeGreaterThan(written + by), { timeout: 20_000 });
    // What was on its way is drawn by then.
    await goneOn(1000);
    const held = await countOf('written');
    await goneOn(3000);
    expect(await countOf('written')).toBe(held);
    await hide(false);
    await page.waitForSelector('.status.live');
    await changed('written', held);
  });

  it('gives nothing to a page of another site, which knows the token too', async () => {
    const site = createServer((_, res) => res.setHeader('content-type', 'text/html').end('<h1>another</h1>'));
    await once(site.listen(0, '127.0.0.1'), 'listening');
    const stranger = await context.newPage();
    await stranger.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}`);
    const url = at.url.replace(/#.*/u, '');
    const outcomes = await stranger.evaluate(
      async ([stream, pause, token]) => {
        const headers = { 'x-streamweld-token': token };
        const tries = [
          fetch(stream, { headers }).then((response) => response.text()),
          fetch(stream).then((response) => response.text()),
          fetch(pause, { method: 'POST', headers }).then((response) => response.text()),
          fetch(pause, { method: 'POST', mode: 'no-cors' }).then((response) => response.text()),
        ];
        const settled = await Promise.allSettled(tries);
        return settled.map((each) => (each.status === 'fulfilled' ? each.value : each.status));
      },
      [`${url}stream`, `${url}control?pipeline=1&action=pause`, tokenOf(at.url)] as const,
    );
    // What is not refused to the browser is empty.
    expect(outcomes.map((outcome) => outcome.replace('rejected', ''))).toEqual(['', '', '', '']);
    expect(pipeline.state).toBe('running');
    await stranger.close();
    site.close();
  });
});
