import { afterEach, describe, expect, it } from 'vitest';
import { AppProcess, type Ended, expectProved } from '../src/test.ts';

const main = new URL('children/app.ts', import.meta.url);
let app: AppProcess | undefined;
afterEach(() => app?.kill());

function start(...args: readonly string[]): AppProcess {
  return (app = new AppProcess(main, args));
}

describe('runApp', () => {
  it('ends with 0 where all holds, and with 1 where something does not', async () => {
    const good = await start('good').ended;
    expect(good).toEqual({ code: 0, stdout: '✓ all\n', stderr: '' });
    expectProved(good, 1);
    const wrong = await start('wrong').ended;
    expect(wrong).toEqual({ code: 1, stdout: '✗ something: WRONG\n', stderr: '' });
  });

  it('answers what cannot be meant with what can, and 2', async () => {
    const { code, stdout, stderr } = await start('odd').ended;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^expected one of good, .*, got 'odd'\.\n\napp OUTCOME\n$/);
  });

  it.each([['--help'], ['good', '-h']])('tells what can be given: %s', async (...args) => {
    expect(await start(...args).ended).toEqual({ code: 0, stdout: 'app OUTCOME\n', stderr: '' });
  });

  it('takes the two dashes of pnpm for nothing', async () => {
    expect((await start('--', 'good').ended).code).toBe(0);
  });

  it.each([
    ['refused', /^APP_NO_SERVER: Give it one\.\n$/],
    ['coded', /^SW_SINK_FAILED: The sink threw\.\n {2}because: connect ECONNREFUSED\n$/],
    ['unknown', /^TypeError: a mistake\n {4}at .*app\.ts/],
  ])('tells why it failed, and ends with 1: %s', async (outcome, message) => {
    const { code, stdout, stderr } = await start(outcome).ended;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });

  it('drains at Ctrl-C, and says so as the app does', async () => {
    const running = start('runs');
    await running.says(/running/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr]).toEqual([0, 'Enough, then.\n']);
    expect(stdout).toMatch(/\ndrained\n$/);
  });

  it.each(['stuck', 'aborted-late'])(
    'ends with 130 after a second Ctrl-C, whatever it comes to: %s',
    async (outcome) => {
      const running = start(outcome);
      await running.says(/running/);
      running.interrupt();
      await running.says(/Stopping/);
      running.interrupt();
      const { code, stderr } = await running.ended;
      expect([code, stderr]).toEqual([
        130,
        'Stopping: what is on its way is finished. Ctrl-C again aborts.\nAborted by a second Ctrl-C: what was not finished is not there.\n',
      ]);
    },
  );

  it('ends when nobody reads on', async () => {
    const running = start('runs');
    await running.says(/running/);
    running.child.stdout?.destroy();
    const { code } = await running.ended;
    expect(code).toBe(1);
  });
});

describe('AppProcess', () => {
  it('tells of what was never said', async () => {
    await expect(start('good').says(/never/)).rejects.toThrow('It ended without saying /never/:\n✓ all');
  });
});

describe('expectProved', () => {
  const ended: Ended = { code: 0, stdout: '✓ a\n✓ b\n', stderr: '' };

  it('is content with so many checks that hold, and no other', () => {
    expectProved(ended, 2);
    expect(() => expectProved(ended, 1)).toThrow();
    expect(() => expectProved({ ...ended, code: 1 }, 2)).toThrow();
    expect(() => expectProved({ ...ended, stdout: '✓ a\n✗ b: WRONG\n' }, 1)).toThrow();
    expect(() => expectProved({ ...ended, stdout: '' }, 1)).toThrow();
  });
});
