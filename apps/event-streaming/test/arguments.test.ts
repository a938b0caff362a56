import { ArgumentError } from '@streamweld/app-kit';
import { describe, expect, it } from 'vitest';
import { parseArguments, USAGE } from '../src/arguments.ts';

describe('parseArguments', () => {
  it('has a default for everything', () => {
    expect(parseArguments([], {})).toEqual({
      events: 20_000,
      rate: 1500,
      enrichers: 3,
      kill: 'enricher',
      brokers: undefined,
      postgres: undefined,
      redis: undefined,
      progress: 'auto',
      inspect: false,
      stay: false,
    });
  });

  it('takes what is typed before what the environment says, and that before a server of its own', () => {
    const env = {
      STREAMWELD_KAFKA_BROKERS: 'there:1,elsewhere:2',
      STREAMWELD_POSTGRES_URL: 'postgres://there/db',
      STREAMWELD_REDIS_URL: 'rediss://there:1',
    };
    expect(parseArguments([], env)).toMatchObject({
      brokers: ['there:1', 'elsewhere:2'],
      postgres: 'postgres://there/db',
      redis: 'rediss://there:1',
    });
    const typed = ['--brokers', 'here:1', '--postgres', 'postgresql://here/db', '--redis', 'redis://here'];
    expect(parseArguments([...typed, '--kill', 'none', '--events', '1_000'], env)).toMatchObject({
      brokers: ['here:1'],
      postgres: 'postgresql://here/db',
      redis: 'redis://here',
      kill: undefined,
      events: 1000,
    });
    expect(parseArguments([], { STREAMWELD_REDIS_URL: '' })).toMatchObject({ redis: undefined });
  });

  it.each([
    [['--events', '0'], "--events: expected a whole number from 1 to 20000, got '0'."],
    [['--events', '1e3'], "got '1e3'."],
    [['--rate', '-1'], '--rate'],
    [['--enrichers', '9'], "--enrichers: expected a whole number from 1 to 8, got '9'."],
    [['--enrichers', '1'], '--kill enricher: expected at least 2 --enrichers'],
    [['--kill', 'kafka'], "--kill: expected one of enricher, projection, cache, board, none, got 'kafka'."],
    [['--brokers', 'localhost'], "--brokers: expected host:port,host:port, got 'localhost'."],
    [['--progress', 'loud'], '--progress: expected one of auto, tty'],
    [['--speed', '3'], '--speed'],
    [['more'], 'more'],
  ])('refuses %j', (args, message) => {
    expect(() => parseArguments(args, {})).toThrow(ArgumentError);
    expect(() => parseArguments(args, {})).toThrow(message);
  });

  it.each([
    [['--redis', 'http://planted@here'], {}, '--redis: expected a URL, redis://:password@host:6379'],
    [['--postgres', 'mysql://planted@here/db'], {}, '--postgres: expected a URL, postgres://'],
    [[], { STREAMWELD_REDIS_URL: 'planted:6379' }, 'STREAMWELD_REDIS_URL: expected a URL'],
  ])('does not show a URL that it refuses, %j %j', (args, env, message) => {
    expect(() => parseArguments(args, env)).toThrow(message);
    expect(() => parseArguments(args, env)).not.toThrow('planted');
  });

  it('tells of every option there is', () => {
    for (const name of Object.keys(parseArguments([], {}))) expect(USAGE).toContain(`--${name}`);
  });
});
