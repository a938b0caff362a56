import { describe, expect, it } from 'vitest';
import { backoffMs, failureOf, retryAfterMs } from '../src/passing.ts';

describe('retryAfterMs', () => {
  const now = Date.parse('2026-12-01T12:00:00Z');
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Tue, 01 Dec 2026 12:00:30 GMT', 30_000],
    ['Tue, 01 Dec 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('takes %j for %j', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});

describe('backoffMs', () => {
  it('doubles up to ten seconds, and varies by half', () => {
    const most = [1, 2, 3, 4, 20].map((attempt) => backoffMs(attempt, () => 1));
    expect(most).toEqual([250, 500, 1000, 2000, 10_000]);
    expect(backoffMs(2, () => 0)).toBe(250);
  });
});

describe('failureOf', () => {
  it('says in words what happened, and whether it may pass', () => {
    expect(failureOf({ code: 'ECONNREFUSED' })).toEqual({
      text: 'nothing answers at this address',
      mayPass: true,
    });
    expect(failureOf({ code: 'ENOTFOUND' }).mayPass).toBe(false);
    expect(failureOf({ code: 'CERT_HAS_EXPIRED' })).toEqual({
      text: 'the request failed (CERT_HAS_EXPIRED)',
      mayPass: false,
    });
  });
});
