import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from } from '@streamweld/core';
import { inWorkers, type WorkersOptions } from '@streamweld/workers';
import { describe, expect, it } from 'vitest';
import type typed from './children/typed.js';
import { child, ran, upTo } from './run.ts';

type Twice = (n: number) => number;

const run = (name: string, options: Omit<WorkersOptions<number>, 'takes'> = {}) =>
  ran(from(upTo(3)).through(inWorkers<Twice>(child(name), { threads: 1, ...options })));

/** As the tests are run, and with something that is loaded before the module. */
const loading = (what: string): string[] => ['--conditions=@streamweld/source', '--import', what];

describe('the module of a stage', () => {
  it.each([
    ['nowhere.js', 'SW_WORKERS_MODULE_MISSING', /There is no file .*nowhere\.js\. The address is/],
    [
      'no-default.js',
      'SW_WORKERS_MODULE_NO_FUNCTION',
      /its default export is missing\. Write export default/,
    ],
    ['no-function.js', 'SW_WORKERS_MODULE_NO_FUNCTION', /its default export is of type object/],
    ['throws.js', 'SW_WORKERS_MODULE_FAILED', /throws\.js could not be loaded/],
    ['exits.js', 'SW_WORKERS_MODULE_FAILED', /A thread ended while it loaded .*exits\.js/],
  ])(
    'fails the run where it cannot serve, whatever becomes of refused items: %s',
    async (name, code, message) => {
      const flow = from(upTo(3)).through(inWorkers<Twice>(child(name), { threads: 2 }), { onError: 'drop' });
      await expect(ran(flow)).rejects.toMatchObject({
        code,
        stage: 'workers',
        message: expect.stringMatching(message),
      });
    },
  );

  it('has what it threw as the cause', async () => {
    await expect(run('throws.js')).rejects.toMatchObject({ cause: { message: 'at its top' } });
  });

  it('may be CommonJS, and written as an ES module', async () => {
    expect((await run('common.cjs')).items).toEqual([-0, -1, -2]);
  });

  it.each(['typed.ts', 'typed.js'])('is run by tsx where it is TypeScript: %s', async (name) => {
    const stage = inWorkers<typeof typed>(child(name), { threads: 1 });
    expect((await ran(from(upTo(3)).through(stage))).items).toEqual(['0', '2', '4']);
  });

  it('says what to do where neither tsx nor Node runs it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-workers-'));
    try {
      // More than types to be removed: no Node runs that by itself.
      writeFileSync(join(folder, 'typed.mts'), 'enum E { A }\nexport default (n: number): E => n + E.A;\n');
      await expect(
        ran(from(upTo(3)).through(inWorkers<Twice>(join(folder, 'typed.mts')))),
      ).rejects.toMatchObject({
        code: 'SW_WORKERS_MODULE_TYPESCRIPT',
        message: expect.stringContaining('Install tsx beside it'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a thread that cannot be started', () => {
  it.each([
    ['what is to be loaded before is missing', { execArgv: loading('./nowhere.mjs') }],
    ['it ends before', { execArgv: loading('data:text/javascript,process.exit(1)') }],
    ['an option of Node is none', { execArgv: ['--nonsense'] }],
  ])('fails the run: %s', async (_why, options) => {
    await expect(run('common.cjs', options)).rejects.toMatchObject({
      code: 'SW_WORKERS_START_FAILED',
      stage: 'workers',
    });
  });
});
