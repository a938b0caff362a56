import { ArgumentError } from '@streamweld/app-kit';
import { describe, expect, it } from 'vitest';
import { readArguments } from '../src/arguments.ts';

describe('readArguments', () => {
  it('is polite to a site, and quick with the manual', () => {
    expect(readArguments(['http://Example.org#top'])).toMatchObject({
      address: 'http://example.org/',
      perHost: 2,
      delayMs: 200,
      maxPages: 1000,
      origins: [],
    });
    expect(readArguments([])).toMatchObject({ address: undefined, perHost: 8, delayMs: 0, copies: 4 });
  });

  it('takes other sites by their origin', () => {
    expect(
      readArguments(['http://a.org', '--origin', 'https://b.org/x', '--origin', 'http://c.org']).origins,
    ).toEqual(['https://b.org', 'http://c.org']);
  });

  it.each([
    [['ftp://a.org'], 'the address: expected one of the web, as https://example.org/, got "ftp://a.org".'],
    [['example.org'], 'the address: expected one of the web, as https://example.org/, got "example.org".'],
    [['http://a.org', 'http://b.org'], 'expected one address, got 2'],
    [['--threads', '-1'], "'--threads' argument is ambiguous"],
    [['--threads', '65'], '--threads: expected a whole number from 0 to 64, got "65".'],
    [['--delay', '1.5'], '--delay: expected a whole number from 0 to 600000, got "1.5".'],
    [['--progress', 'loud'], '--progress: expected one of auto, tty, plain, json, none, got "loud".'],
    [['http://a.org', '--copies', '2'], '--copies: expected no address beside it'],
    [['--origin', 'http://b.org'], '--origin: expected an address to start from beside it, got none.'],
    [['--what'], "Unknown option '--what'"],
  ])('refuses %j', (args, message) => {
    expect(() => readArguments(args)).toThrow(ArgumentError);
    expect(() => readArguments(args)).toThrow(message);
  });
});
