import { describe, expect, it } from 'vitest';
import { keyOf, normalise } from '../src/address.ts';

const base = 'http://example.org/docs/page.html?x=1#here';

describe('normalise', () => {
  it.each([
    ['#part', 'http://example.org/docs/page.html?x=1'],
    ['', 'http://example.org/docs/page.html?x=1'],
    ['other.html#part', 'http://example.org/docs/other.html'],
    ['../up.html', 'http://example.org/up.html'],
    ['?', 'http://example.org/docs/page.html'],
    ['HTTP://EXAMPLE.org:80/a', 'http://example.org/a'],
    ['//other.org/a', 'http://other.org/a'],
    ['http://me:secret@example.org/a', 'http://example.org/a'],
    ['a?utm_source=mail&b=2&gclid=3', 'http://example.org/docs/a?b=2'],
    ['a?q=a%20b', 'http://example.org/docs/a?q=a%20b'],
    [' a\n.html ', 'http://example.org/docs/a.html'],
  ])('makes %j absolute, without what is not the page', (href, address) => {
    expect(normalise(href, base)).toBe(address);
  });

  it.each([
    'mailto:a@example.org',
    'javascript:void(0)',
    'http://',
    'data:text/html,x',
    'ftp://example.org/',
  ])('takes %j for no address', (href) => {
    expect(normalise(href, base)).toBeUndefined();
  });
});

describe('keyOf', () => {
  it.each([
    ['http://example.org/a?b=2&a=1', 'http://example.org/a?a=1&b=2'],
    ['http://example.org/%7euser/%c3%a9', 'http://example.org/~user/%C3%A9'],
  ])('takes %s and %s for one', (one, other) => {
    expect(keyOf(one)).toBe(keyOf(other));
  });

  it.each([
    ['http://example.org/a', 'http://example.org/A'],
    ['http://example.org/a', 'http://example.org/a/'],
    ['http://example.org/a', 'https://example.org/a'],
    ['http://example.org/a%2Fb', 'http://example.org/a/b'],
    ['http://example.org/a?x=1&x=2', 'http://example.org/a?x=2&x=1'],
  ])('keeps %s and %s apart', (one, other) => {
    expect(keyOf(one)).not.toBe(keyOf(other));
  });
});
