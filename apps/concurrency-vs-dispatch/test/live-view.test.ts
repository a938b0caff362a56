/** What is drawn, for terminals of every width and height. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useVirtualClock } from '@streamweld/testing';
import { viewLines, type View } from '../src/live-view.ts';
import { MODES, type Mode } from '../src/modes.ts';
import { build } from '../src/pipeline.ts';
import { read } from '../src/reading.ts';

const time = useVirtualClock({ beforeEach, afterEach });

/** A run that has gone on for three seconds. */
async function view(mode: Mode, others: Partial<View> = {}, sinksMs = [5, 10, 20]): Promise<string[]> {
  const settings = { sourceMs: 2, sinksMs, items: 100_000, bufferSize: 10, seed: 1 };
  const experiment = await time().run(build(mode, settings));
  const running = experiment.pipeline.run();
  running.catch(() => {});
  await time().advance(1000);
  const before = read(experiment);
  await time().advance(2000);
  const now = read(experiment);
  await time().run(experiment.pipeline.abort());
  const notice = 'http://127.0.0.1:36095/#-fop_YT1iBMRFpcVQRagkXK9D19g0Vvj';
  return viewLines({ now, before, chosen: 1, notice, columns: 80, rows: 24, hasColors: false, ...others });
}

describe('viewLines', () => {
  it('shows of each stage what it did in the last two seconds', async () => {
    const lines = await view('broadcast', { notice: '' });
    expect(lines).toEqual([
      'broadcast: every item to every sink                              running  3.0 s',
      '',
      '           an item  buffer     demand      items  share  items/s   busy  keys',
      '  source      2 ms                           168              50   10 %',
      '  buffer            ●●●●●●●●●·      1',
      expect.stringMatching(/^▸ sink 1 {6}5 ms {2}[●·]{10} +\d+ +159 +50 +25 % {2}[a-l]{6}$/u),
      expect.stringMatching(/^ {2}sink 2 {5}10 ms {2}[●·]{10} +\d+ +159 +50 +50 % {2}[a-l]{6}$/u),
      expect.stringMatching(/^ {2}sink 3 {5}20 ms {2}●{10} +0 +149 +50 +100 % {2}[a-l]{6}$/u),
      '',
      '  Every sink gets every item, so the slowest sets the pace: sink 1 waits 75 %',
      '  of its time for sink 3.',
      '',
      '  ↑↓ choose · ←→ slower, faster · space pauses · 1–5 another mode · q ends',
    ]);
  });

  it.each(MODES)('fits into terminals of any width, showing %s', async (mode) => {
    for (const columns of [24, 30, 40, 60, 79, 80, 81, 100, 121, 200]) {
      const lines = await view(mode, { columns });
      for (const line of lines) expect([columns, line, line.length < columns]).toEqual([columns, line, true]);
      const text = lines.join('\n');
      expect(text).toContain('▸ sink 1');
      expect(text).toContain('q ends');
      expect(text).toMatch(/[●·]/u);
    }
  });

  it('gives columns up one by one where there is less room, and says more where there is more', async () => {
    const head = async (columns: number) =>
      (await view('demand', { columns })).find((line) => line.includes('buffer'));
    expect(await head(200)).toMatch(/an item +buffer +demand +items +share +items\/s +busy +keys/u);
    expect(await head(74)).toMatch(/items\/s +busy$/u);
    expect(await head(66)).toMatch(/demand +items +share +items\/s$/u);
    expect(await head(50)).toMatch(/an item +buffer +items +share$/u);
    expect(await head(32)).toMatch(/^ +an item +buffer$/u);
    const wide = (await view('demand', { columns: 200 })).find((line) => line.includes('sink 1'));
    expect(wide).toMatch(/ {2}[a-l]{40,60}$/u);
  });

  it('leaves out what is empty where there are few rows', async () => {
    const eight = [5, 5, 5, 5, 5, 5, 5, 5];
    expect((await view('partition', {}, eight)).length).toBeLessThanOrEqual(24);
    const low = await view('demand', { rows: 10 });
    expect(low).not.toContain('');
    expect(low.at(-1)).toContain('q ends');
  });

  it('has colours only where the terminal has', async () => {
    expect((await view('broadcast', { hasColors: true })).join('')).toContain(
      '\u001B[31m●●●●●●●●●●\u001B[39m',
    );
    expect((await view('broadcast')).join('')).not.toContain('\u001B');
  });
});
