import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from '@streamweld/app-kit';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../src/arguments.ts';

describe('parseArguments', () => {
  it('asks a site where no file is given', () => {
    expect(parseArguments([])).toMatchObject({
      input: { requests: 20_000 },
      folder: join(tmpdir(), 'streamweld-logs'),
      isNew: false,
      isCompared: true,
      progress: 'auto',
      inspect: false,
    });
  });

  it('takes files that are there, globs, and files that are followed before they are', () => {
    const here = import.meta.filename;
    expect(parseArguments(['--file', here, '--file', '/nowhere/*.gz']).input).toEqual({
      paths: [here, '/nowhere/*.gz'],
      isFollowed: false,
    });
    expect(parseArguments(['--file', '/nowhere/access.log', '--follow']).input).toEqual({
      paths: ['/nowhere/access.log'],
      isFollowed: true,
    });
  });

  it.each([
    [['--requests', '0'], "--requests: expected a whole number from 1 to 1000000, got '0'."],
    [['--requests', '5', '--file', '*'], '--requests: expected without --file, got it with --file.'],
    [['--follow'], '--follow: expected with --file, got it without'],
    [['--file', ''], '--file: expected a path, got nothing.'],
    [['--file', '/'], "--file: expected a log, got '/', which is no file."],
    [['--postgres', 'mysql://me:planted@host'], '--postgres: expected a URL, postgres://'],
    [['--progress', 'loud'], "--progress: expected one of auto, tty, plain, json, none, got 'loud'."],
    [['--out', ''], '--out: expected a path, got nothing.'],
    [['more'], "Unexpected argument 'more'"],
    [['--fiel', 'x'], "Unknown option '--fiel'"],
  ])('says of %j what is expected', (args, message) => {
    expect(() => parseArguments(args)).toThrow(ArgumentError);
    expect(() => parseArguments(args)).toThrow(message);
    expect(() => parseArguments(args)).not.toThrow('planted');
  });
});
