import { inWorkers, type WorkersOptions } from '@streamweld/workers';
import { describe, expect, it } from 'vitest';
import { child } from './run.ts';

const module = child('work.js');

describe('inWorkers', () => {
  it.each<[string, object, string]>([
    ['threads', { threads: 0 }, 'inWorkers.threads must be a whole number of at least 1, got 0.'],
    ['threads', { threads: 1.5 }, 'inWorkers.threads must be a whole number'],
    ['batchSize', { batchSize: 0 }, 'inWorkers.batchSize must be a whole number'],
    ['takes', { takes: 'all' }, "inWorkers.takes must be 'item' or 'batch', got \"all\"."],
    ['attempts', { attempts: 0 }, 'inWorkers.attempts must be a whole number'],
    ['transfer', { transfer: [] }, 'inWorkers.transfer must be a function, got an array of 0.'],
    [
      'both',
      { transfer: () => [], attempts: 2 },
      'inWorkers.attempts must be 1 together with transfer, got 2.',
    ],
    ['data', { data: { call: () => 1 } }, 'inWorkers.data must be data that can be sent to a thread'],
    [
      'limits',
      { resourceLimits: { maxOldGenerationSizeMb: 15 } },
      'maxOldGenerationSizeMb must be a number of MB of at least 16',
    ],
    [
      'limits',
      { resourceLimits: { heap: 1 } },
      'inWorkers.resourceLimits.heap must be one of its known options',
    ],
    ['execArgv', { execArgv: '--import tsx' }, 'inWorkers.execArgv must be an array of strings'],
    ['timeoutMs', { timeoutMs: 0 }, 'inWorkers.timeoutMs must be a duration above 0 milliseconds, got 0.'],
    ['graceMs', { graceMs: -1 }, 'inWorkers.graceMs must be a duration'],
    ['name', { name: '' }, 'inWorkers.name must be a string that is not empty'],
    ['misspelt', { thread: 2 }, 'inWorkers.thread must be one of its known options'],
  ])('refuses a wrong option when it is given: %s', (_what, options, message) => {
    const call = () => inWorkers(module, options as WorkersOptions<never> & { takes: 'item' });
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'SW_OPTION_INVALID' }));
  });

  it.each(['./convert.js', 'convert.js', 'https://example.org/convert.js', 1, undefined, null])(
    'refuses what is no address of a file: %s',
    (address) => {
      expect(() => inWorkers(address as string)).toThrow(
        'inWorkers module must be a file: URL or an absolute path',
      );
    },
  );

  it('takes an address as a URL, as text, and as a path', () => {
    for (const address of [module, module.href, module.pathname]) {
      expect(inWorkers(address, { name: 'mill', threads: 3 })()).toMatchObject({
        name: 'mill',
        concurrency: 6,
      });
    }
  });
});
