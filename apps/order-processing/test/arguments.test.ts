import { ArgumentError } from '@streamweld/app-kit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseArguments } from '../src/arguments.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('parseArguments', () => {
  it.each([
    [['--orders', '0'], "--orders: expected a whole number from 1 to 100000, got '0'."],
    [['--orders', '1.5'], '--orders: expected a whole number'],
    [['--orders', ''], '--orders: expected a whole number'],
    [['--seed', 'red'], "--seed: expected a whole number from 0 to 2147483647, got 'red'."],
    [['--progress', 'fancy'], "--progress: expected one of auto, tty, plain, json, none, got 'fancy'."],
    [['--out', ''], '--out: expected a path'],
    [['--postgres', 'localhost'], '--postgres: expected a URL'],
    [['--mended'], '--mended: expected with replay'],
    [['replay'], 'replay: expected one file of dead letters, got 0.'],
    [['replay', 'a', 'b'], 'replay: expected one file of dead letters, got 2.'],
    [['replay', 'nowhere.ndjson'], "got 'nowhere.ndjson', which is none."],
    [['replay', '.'], "got '.', which is none."],
    [['replay', import.meta.filename, '--orders', '5'], '--orders: expected without replay'],
    [['replay', import.meta.filename, '--seed', '5'], '--seed: expected without replay'],
    [['replay', import.meta.filename, '--new'], '--new: expected without replay'],
    [['surprise'], "expected no command, or replay, got 'surprise'."],
    [['run', 'surprise'], "expected nothing behind run, got 'surprise'."],
    [['--fast'], "Unknown option '--fast'"],
  ])('answers %j with what it expects', (args, message) => {
    expect(() => parseArguments(args)).toThrow(ArgumentError);
    expect(() => parseArguments(args)).toThrow(message);
  });

  it('takes a database of yours from the environment, and tells nobody its password', () => {
    vi.stubEnv('STREAMWELD_POSTGRES_URL', 'postgres://me:planted@host/mine');
    expect(parseArguments([])).toMatchObject({ postgres: { url: 'postgres://me:planted@host/mine' } });
    vi.stubEnv('STREAMWELD_POSTGRES_URL', 'mysql://me:planted@host/mine');
    expect(() => parseArguments([])).toThrow(/STREAMWELD_POSTGRES_URL: expected a URL(?!.*planted)/);
  });

  it('looks for paths where the command was typed, also where pnpm runs it elsewhere', () => {
    vi.stubEnv('INIT_CWD', import.meta.dirname);
    expect(parseArguments(['replay', 'arguments.test.ts'])).toMatchObject({ file: import.meta.filename });
  });

  it('takes numbers as people write them', () => {
    expect(parseArguments(['--orders', '12,000', '--seed', '0'])).toMatchObject({
      command: 'run',
      orders: 12_000,
      seed: 0,
    });
  });
});
