import { describe, expect, it } from 'vitest';
import { parseLine } from '../src/parse.ts';

const ACCESS =
  '127.0.0.1 - - [01/Dec/2026:12:54:39 +0100] "GET /a\\"b HTTP/1.1" 503 - "http://x.example/" "agent/1.0"';

describe('parseLine', () => {
  it('understands an access log in the combined and the common format', () => {
    const combined = parseLine('site.log', 17, ACCESS);
    expect(combined).toEqual({
      id: 'site.log:17',
      log: 'site.log',
      line: 17,
      service: 'site',
      level: 'error',
      at: Date.UTC(2026, 11, 1, 11, 54, 39),
      text: ACCESS,
      status: 503,
      raw: ACCESS,
    });
    const common = ACCESS.replace(/ "http.*$/, '').replace(' 503 -', ' 404 17');
    expect(parseLine('site.log', 1, common)).toMatchObject({ status: 404, level: 'warn', text: common });
    expect(parseLine('site.log', 1, common.replace(' 404 ', ' 200 '))).toMatchObject({ level: 'info' });
  });

  it('understands a line of pino, and searches what it says: not its level, nor its process', () => {
    const raw =
      '{"level":40,"time":1764593679000,"pid":7777,"hostname":"box","name":"crawler","url":"/a","status":404,"ms":1.5,"err":{"code":"E1"},"msg":"no page"}';
    expect(parseLine('x.log', 1, raw)).toEqual({
      id: 'x.log:1',
      log: 'x.log',
      line: 1,
      service: 'crawler',
      level: 'warn',
      at: 1764593679000,
      text: 'crawler /a 404 1.5 E1 no page',
      status: 404,
      ms: 1.5,
      raw,
    });
  });

  it.each([
    ['{"level":10}', 'trace'],
    ['{"level":35}', 'info'],
    ['{"level":"WARNING"}', 'warn'],
    ['{"level":"critical"}', 'fatal'],
    ['{"level":70}', 'unknown'],
    ['{"level":5}', 'unknown'],
    ['{"level":null}', 'unknown'],
    ['{}', 'unknown'],
    ['{"level":30', 'unknown'],
    ['[30]', 'unknown'],
    ['null', 'unknown'],
    ['', 'unknown'],
    ['plain words', 'unknown'],
    [`${ACCESS} and more`, 'unknown'],
  ])('%s is of the level %s, and refused by nobody', (raw, level) => {
    const entry = parseLine('app.log', 1, raw);
    expect(entry).toMatchObject({ service: 'app', level, raw });
    if (!raw.startsWith('{')) expect(entry).toMatchObject({ at: null, text: raw });
  });

  it.each([
    ['../../etc', '_.._etc'],
    ['..', 'unnamed'],
    ['A b/C', 'a_b_c'],
    ['', 'app'],
    ['x'.repeat(100), 'x'.repeat(64)],
  ])('makes of the service %j a name of a folder', (name, service) => {
    expect(parseLine('app.log', 1, JSON.stringify({ name })).service).toBe(service);
  });

  it.each([[-1], [1e300], ['yesterday'], [true], [253_402_300_800_000]])('knows no time from %j', (time) => {
    expect(parseLine('app.log', 1, JSON.stringify({ time })).at).toBeNull();
  });
});
