import { describe, expect, it } from 'vitest';
import { ArgumentError } from '@streamweld/app-kit';
import { readArguments, USAGE } from '../src/arguments.ts';
import { actionOf, stepFrom } from '../src/keys.ts';
import { MODES } from '../src/modes.ts';

describe('readArguments', () => {
  it('has a default for everything', () => {
    expect(readArguments([])).toEqual({
      modes: undefined,
      settings: { sourceMs: 2, sinksMs: [5, 10, 20], bufferSize: 10, seed: 1 },
      items: undefined,
      table: false,
      progress: 'auto',
      inspect: false,
    });
  });

  it('reads what is given', () => {
    const args = '--mode demand --source 0.5ms --sinks 5,20ms,1s --items 1,000 --buffer 20 --seed 7 --table';
    expect(readArguments(args.split(' '))).toMatchObject({
      modes: ['demand'],
      settings: { sourceMs: 0.5, sinksMs: [5, 20, 1000], bufferSize: 20, seed: 7 },
      items: 1000,
      table: true,
    });
    expect(readArguments(['--mode', 'partition,demand,partition']).modes).toEqual(['partition', 'demand']);
    expect(readArguments(['--mode', 'all']).modes).toEqual(MODES);
  });

  it.each([
    [
      '--mode fastest',
      "--mode: expected one of sequential, concurrent, broadcast, demand, partition, all, got 'fastest'.",
    ],
    ['--source slow', "--source: expected a time from 0ms to 1s, as 2ms or 0.5ms, got 'slow'."],
    ['--source -1ms', '--source'],
    ['--source 2s', "got '2s'"],
    ['--sinks 5ms,', "--sinks: expected a time from 0ms to 1s, as 2ms or 0.5ms, got ''."],
    ['--sinks 1,1,1,1,1,1,1,1,1', '--sinks: expected 1 to 8 times, as 5ms,20ms, got 9.'],
    ['--items 0', "--items: expected a whole number from 1 to 10,000,000, got '0'."],
    ['--items 1.5', "got '1.5'"],
    ['--buffer 1001', 'from 1 to 1,000'],
    ['--seed x', '--seed'],
    ['--progress loud', '--progress: expected one of auto, tty, plain, json, none'],
    ['--speed 3', '--speed'],
    ['demand', 'demand'],
  ])('says what is wrong with %s', (args, message) => {
    const reading = () => readArguments(args.split(' '));
    expect(reading).toThrow(ArgumentError);
    expect(reading).toThrow(message);
  });

  it('tells of every option in its help', () => {
    for (const option of [
      'mode',
      'source',
      'sinks',
      'items',
      'buffer',
      'seed',
      'table',
      'progress',
      'inspect',
      'help',
    ])
      expect(USAGE).toMatch(new RegExp(`^ {2}--${option} `, 'mu'));
  });
});

describe('the keys', () => {
  it.each([
    [{ name: 'up' }, { does: 'choose', by: -1 }],
    [{ name: 'right' }, { does: 'pace', by: 1 }],
    [{ sequence: '-' }, { does: 'pace', by: -1 }],
    [{ sequence: '4' }, { does: 'mode', mode: 'demand' }],
    [{ name: 'space' }, { does: 'pause' }],
    [{ name: 'q' }, { does: 'end' }],
    [{ name: 'c', ctrl: true }, { does: 'stop' }],
    [{ name: 'c' }, undefined],
    [{ sequence: '6' }, undefined],
    [{ name: 'q', ctrl: true }, undefined],
  ])('%j', (key, action) => {
    expect(actionOf(key)).toEqual(action);
  });

  it('go from step to step, and stop at both ends', () => {
    expect([stepFrom(5, 1), stepFrom(5, -1), stepFrom(6, 1), stepFrom(6, -1)]).toEqual([3, 7, 5, 7]);
    expect([stepFrom(0, 1), stepFrom(1000, -1)]).toEqual([0, 1000]);
  });
});
