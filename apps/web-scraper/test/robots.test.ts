import { describe, expect, it } from 'vitest';
import { Fetcher } from '../src/fetcher.ts';
import { Robots } from '../src/robots.ts';
import { answer, redirect, serve, type Pages } from './serving.ts';

async function rulesOf(pages: Pages) {
  await using site = await serve(pages);
  const fetcher = new Fetcher({ perHost: 1, timeoutMs: 5000, maxBytes: 1000 });
  try {
    const robots = new Robots(fetcher);
    const rules = await robots.rulesFor(`${site.origin}/a`);
    await robots.rulesFor(`${site.origin}/b`);
    return {
      delayMs: 'kind' in rules ? undefined : rules.delayMs,
      allows: (path: string) => ('kind' in rules ? undefined : rules.allows(site.origin + path)),
      requests: site.requests.length,
    };
  } finally {
    await fetcher.close();
  }
}

const plain = (text: string) => answer(text, { 'content-type': 'text/plain' });

describe('Robots', () => {
  it('asks once, and allows all where there is none', async () => {
    const { allows, requests } = await rulesOf({});
    expect(allows('/x')).toBe(true);
    expect(requests).toBe(1);
  });

  it('asks again where the server has failed', async () => {
    const { allows, requests } = await rulesOf({ '/robots.txt': answer('', {}, 500) });
    expect(allows('/x')).toBeUndefined();
    expect(requests).toBe(2);
  });

  it('follows redirects of it, as rules of the site that was asked, and not in a circle', async () => {
    const { allows } = await rulesOf({
      '/robots.txt': redirect('/other.txt'),
      '/other.txt': plain('User-agent: *\nDisallow: /x'),
    });
    expect(allows('/x')).toBe(false);
    const circle = await rulesOf({ '/robots.txt': redirect('/robots.txt') });
    expect(circle.allows('/x')).toBe(true);
    expect(circle.requests).toBe(6);
  });

  it.each([
    ['1.5', 1500],
    ['-5', 0],
    ['soon', 0],
    ['Infinity', 86_400_000],
    ['99999999999', 86_400_000],
  ])('takes a delay of %s for %d ms', async (delay, ms) => {
    expect((await rulesOf({ '/robots.txt': plain(`User-agent: *\nCrawl-delay: ${delay}`) })).delayMs).toBe(
      ms,
    );
  });
});
