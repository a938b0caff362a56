import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from '../src/parse.ts';
import { crawling, type CrawlSettings, type Crawling } from '../src/pipeline.ts';
import { answer, linking, type Pages, redirect, serve, type Serving } from './serving.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scraper-crawl-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Crawled extends Crawling {
  readonly pages: readonly Page[];
  /** What became of each address, by its path. */
  readonly kinds: Readonly<Record<string, string>>;
  /** Why the broken ones are. */
  readonly broken: Readonly<Record<string, string>>;
}

async function crawl(site: Serving, settings: Partial<CrawlSettings> = {}): Promise<Crawled> {
  const path = join(folder, 'pages.ndjson');
  const crawled = await crawling(
    `${site.origin}/`,
    {
      perHost: 4,
      delayMs: 0,
      timeoutMs: 5000,
      maxBytes: 100_000,
      maxPages: 1000,
      maxDepth: 50,
      origins: new Set([site.origin]),
      attempts: 4,
      threads: 0,
      ...settings,
    },
    path,
  );
  try {
    await crawled.pipeline.run();
  } finally {
    await crawled.fetcher.close();
  }
  const text = await readFile(path, 'utf8');
  const pathOf = (address: string) => address.replace(site.origin, '');
  return {
    ...crawled,
    pages: text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Page),
    kinds: Object.fromEntries(
      [...crawled.graph.visits].map(({ task, kind }) => [pathOf(task.address), kind] as const),
    ),
    broken: Object.fromEntries(
      crawled.graph.broken().map(({ address, reason }) => [pathOf(address), reason] as const),
    ),
  };
}

const once = async (pages: Pages, settings: Partial<CrawlSettings> = {}) => {
  await using site = await serve(pages);
  return {
    ...(await crawl(site, settings)),
    requests: site.requests,
    times: site.times,
    origin: site.origin,
  };
};

describe('a crawl', () => {
  it('requests each page once, whatever its links look like', async () => {
    const { requests, pages } = await once({
      '/': linking('a', '/a#one', './a#two', '/a?', 'b?x=1&y=2', 'b?y=2&x=1', 'b?x=1&y=2&utm_source=z', '/'),
      '/a': linking('/', '#top', '../b?y=2&x=1#c'),
      '/b?x=1&y=2': linking('mailto:a@b.c', 'javascript:void(0)', 'http://['),
    });
    expect([...requests].sort()).toEqual(['/', '/a', '/b?x=1&y=2', '/robots.txt']);
    expect(requests[0]).toBe('/robots.txt');
    expect(pages.map(({ depth }) => depth)).toEqual([0, 1, 1]);
  });

  it('reads titles, headings, text and links against the base of the page', async () => {
    const { pages, origin } = await once({
      '/': `<html lang="de"><head><title> Über
         uns </title><base href="/deep/er/"></head><body><h1>A &amp; B</h1><script>no()</script><style>p{}</style>
         <p>Text</p><h2>C</h2><a href="x">o</a>ne<map><area href="/y"></map> <a name="no">no</a></body></html>`,
    });
    expect(pages[0]).toMatchObject({
      address: `${origin}/`,
      from: null,
      status: 200,
      title: 'Über uns',
      language: 'de',
      headings: ['A & B', 'C'],
      links: [`${origin}/deep/er/x`, `${origin}/y`],
      text: 'A & B Text C one no',
    });
  });

  it('does not request what robots.txt asks to leave alone, also behind a redirect', async () => {
    const { requests, kinds } = await once({
      '/robots.txt': answer(
        'User-agent: *\nDisallow: /all\n\nUser-agent: streamweld-web-scraper\nDisallow: /private/\nAllow: /private/open\n',
        { 'content-type': 'text/plain' },
      ),
      '/': linking('/private/a', '/private/open', '/to-private', '/all'),
      '/private/open': linking(),
      '/to-private': redirect('/private/b'),
      '/all': linking(),
    });
    expect(kinds['/private/a']).toBe('disallowed');
    expect(kinds['/private/b']).toBe('disallowed');
    expect([...requests].sort()).toEqual(['/', '/all', '/private/open', '/robots.txt', '/to-private']);
  });

  it('requests nothing of a site whose robots.txt cannot be read, and says why', async () => {
    const { requests, broken } = await once(
      { '/robots.txt': answer('', {}, 503), '/': linking('/a') },
      { attempts: 2 },
    );
    expect(requests).toEqual(['/robots.txt', '/robots.txt']);
    expect(broken['/']).toBe('robots.txt cannot be read: it is answered with 503, 2 times');
  });

  it('pauses as long as robots.txt asks for', async () => {
    const { times } = await once({
      '/robots.txt': answer('User-agent: *\nCrawl-delay: 0.2\n', { 'content-type': 'text/plain' }),
      '/': linking('/a', '/b'),
      '/a': linking(),
      '/b': linking(),
    });
    const [, root = 0, first = 0, second = 0] = times;
    // Timers may be early by a millisecond.
    expect(first - root).toBeGreaterThan(190);
    expect(second - first).toBeGreaterThan(190);
  });

  it('follows no link where a page asks for it', async () => {
    const { requests, pages } = await once({
      '/': `<meta name="ROBOTS" content="noindex, nofollow">${linking('/a')}`,
    });
    expect(requests).toEqual(['/robots.txt', '/']);
    expect(pages[0]?.links).toHaveLength(1);
  });

  it('tries again what may pass, and not what will not', async () => {
    let busy = 0;
    let lost = 0;
    let cut = 0;
    const { requests, broken, pages, visitor } = await once({
      '/': linking('/busy', '/lost', '/cut', '/down', '/gone', '/forbidden'),
      '/busy': (_, response) => {
        busy += 1;
        if (busy < 3) response.writeHead(429, { 'retry-after': '0' }).end();
        else response.writeHead(200, { 'content-type': 'text/html' }).end('<title>busy');
      },
      '/lost': (request, response) => {
        lost += 1;
        if (lost < 2) request.socket.destroy();
        else response.writeHead(200, { 'content-type': 'text/html' }).end('<title>lost');
      },
      '/cut': (request, response) => {
        cut += 1;
        response.writeHead(200, { 'content-type': 'text/html', 'content-length': '20' });
        if (cut < 2) response.write('<title>', () => request.socket.destroy());
        else response.end('<title>cut and more.');
      },
      '/down': answer('', { 'retry-after': '0' }, 500),
      '/forbidden': answer('', {}, 403),
    });
    const count = (path: string) => requests.filter((request) => request === path).length;
    expect(pages.map(({ title }) => title).sort()).toEqual(['busy', 'cut and more.', 'links', 'lost']);
    expect([count('/busy'), count('/lost'), count('/cut'), count('/down')]).toEqual([3, 2, 2, 4]);
    expect([count('/gone'), count('/forbidden')]).toEqual([1, 1]);
    expect(visitor.retried).toBe(2 + 1 + 1 + 3);
    expect(broken).toEqual({
      '/down': 'it is answered with 500, 4 times',
      '/gone': 'it is answered with 404',
      '/forbidden': 'it is answered with 403',
    });
  });

  it('waits as long as the server asks for, and asks it for nothing else meanwhile', async () => {
    let isFirst = true;
    const { requests, times } = await once(
      {
        '/': linking('/busy', '/other'),
        '/busy': (_, response) => {
          response.writeHead(isFirst ? 503 : 404, { 'retry-after': '1' }).end();
          isFirst = false;
        },
        '/other': linking(),
      },
      { perHost: 1 },
    );
    expect(requests.slice(2)).toEqual(['/busy', '/busy', '/other']);
    expect((times[3] ?? 0) - (times[2] ?? 0)).toBeGreaterThan(990);
  });

  it('gives up what it may ask for again only in an hour', async () => {
    const { requests, broken } = await once({
      '/': linking('/later'),
      '/later': answer('', { 'retry-after': '3600' }, 503),
    });
    expect(requests).toEqual(['/robots.txt', '/', '/later']);
    expect(broken['/later']).toBe('it is answered with 503, and to be asked again in 3600 s at the earliest');
  });

  it('gives up an answer that does not come, or does not end', async () => {
    const { broken } = await once(
      {
        '/': linking('/silent', '/endless'),
        '/silent': () => {},
        '/endless': (_, response) => {
          response.writeHead(200, { 'content-type': 'text/html' });
          const writing = setInterval(() => response.write('x'), 20);
          response.on('close', () => clearInterval(writing));
        },
      },
      { timeoutMs: 300, attempts: 1 },
    );
    expect(broken).toEqual({
      '/silent': expect.stringContaining('in time'),
      '/endless': 'the answer was not complete in time',
    });
  });

  it('follows redirects once each, and names those that go in a circle or nowhere', async () => {
    const { requests, kinds, broken, pages, graph } = await once({
      '/': linking('/old', '/older', '/a', '/self', '/nowhere', '/0'),
      '/old': redirect('/new', 301),
      '/older': redirect('/old'),
      '/new': linking(),
      '/a': redirect('/b'),
      '/b': redirect('/a'),
      '/self': redirect('/self#again'),
      '/nowhere': (_, response) => response.writeHead(302).end(),
      ...Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`/${n}`, redirect(`/${n + 1}`)] as const)),
    });
    expect(new Set(requests).size).toBe(requests.length);
    expect(pages.map(({ address }) => new URL(address).pathname)).toEqual(['/', '/new']);
    expect(kinds).toMatchObject({ '/old': 'redirect', '/older': 'redirect', '/new': 'page' });
    expect(broken).toEqual({
      '/a': 'it redirects in a circle',
      '/b': 'it redirects in a circle',
      '/self': 'it redirects to itself',
      '/nowhere': 'it redirects to nowhere',
      '/20': 'it is reached by more than 20 redirects',
    });
    expect(requests).not.toContain('/21');
    const [toOld] = [...graph.links()].filter(({ to }) => to.endsWith('/old'));
    expect(toOld?.what).toBe('redirect');
  });

  it('stays on its site: links elsewhere are written, and not requested', async () => {
    await using other = await serve({ '/': linking(), '/landing': linking() });
    const { requests, pages, frontier, graph } = await once({
      '/': linking(`${other.origin}/`, '/out'),
      '/out': redirect(`${other.origin}/landing`),
    });
    expect(other.requests).toEqual([]);
    expect(requests).toEqual(['/robots.txt', '/', '/out']);
    expect(pages[0]?.links).toContain(`${other.origin}/`);
    expect(frontier.leftOut.elsewhere).toBe(2);
    expect([...graph.links()].map(({ what }) => what)).toEqual(['not visited', 'redirect']);
  });

  it('goes to other sites where they are named, and asks each for its own robots.txt', async () => {
    await using other = await serve({ '/': linking('/x'), '/x': linking() });
    await using site = await serve({ '/': linking(`${other.origin}/`) });
    const { pages } = await crawl(site, { origins: new Set([site.origin, other.origin]) });
    expect(pages).toHaveLength(3);
    expect(other.requests).toEqual(['/robots.txt', '/', '/x']);
  });

  it('leaves the body of what is no HTML, however long it is', async () => {
    let sent = 0;
    const { kinds, pages } = await once({
      '/': linking('/image.png', '/endless.bin'),
      '/image.png': answer(Buffer.alloc(1000), { 'content-type': 'image/png' }),
      '/endless.bin': (_, response) => {
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        const more = () => {
          sent += 65_536;
          if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
        };
        more();
      },
    });
    expect(kinds).toMatchObject({ '/image.png': 'file', '/endless.bin': 'file' });
    expect(pages).toHaveLength(1);
    // What the system holds for a connection, and no more.
    expect(sent).toBeLessThan(50e6);
  });

  it.each([
    [
      'that says so',
      answer('x'.repeat(200_000), { 'content-type': 'text/html', 'content-length': '200000' }),
    ],
    [
      'that does not say so',
      answer('x'.repeat(200_000), { 'content-type': 'text/html', 'transfer-encoding': 'chunked' }),
    ],
    [
      'when it is decompressed',
      answer(gzipSync('x'.repeat(200_000)), { 'content-type': 'text/html', 'content-encoding': 'gzip' }),
    ],
  ])('refuses a huge page %s', async (_, huge) => {
    const { broken, pages, requests } = await once({
      '/': linking('/huge', '/ok'),
      '/huge': huge,
      '/ok': linking(),
    });
    expect(broken).toEqual({ '/huge': 'it is larger than 100000 bytes' });
    expect(pages).toHaveLength(2);
    expect(requests.filter((path) => path === '/huge')).toHaveLength(1);
  });

  it('decompresses what is compressed, and refuses what cannot be', async () => {
    const { pages, broken } = await once({
      '/': linking('/zip', '/bad', '/odd'),
      '/zip': answer(gzipSync('<title>zipped'), { 'content-type': 'text/html', 'content-encoding': 'gzip' }),
      '/bad': answer('no gzip', { 'content-type': 'text/html', 'content-encoding': 'gzip' }),
      '/odd': answer('?', { 'content-type': 'text/html', 'content-encoding': 'constructor' }),
    });
    expect(pages.map(({ title }) => title)).toContain('zipped');
    expect(broken).toEqual({
      '/bad': 'it cannot be decompressed as gzip',
      '/odd': "it is compressed as 'constructor', which was not asked for",
    });
  });

  it('reads a page in the encoding that its header, its first bytes or it itself names', async () => {
    const latin = Buffer.from('<title>caf\xe9</title>', 'latin1');
    const { pages } = await once({
      '/': linking('/header', '/meta', '/bom', '/none', '/cyrillic', '/nonsense'),
      '/header': answer(latin, { 'content-type': 'text/html; charset=ISO-8859-1' }),
      '/meta': answer(Buffer.concat([Buffer.from('<meta charset="windows-1252">'), latin]), {
        'content-type': 'text/html',
      }),
      '/bom': answer(Buffer.from('\ufeff<title>café</title>', 'utf16le'), { 'content-type': 'text/html' }),
      '/none': answer('<title>café</title>', { 'content-type': 'text/html' }),
      '/cyrillic': answer(
        Buffer.from([...Buffer.from('<title>'), 0xea, 0xee, 0xf4, 0xe5, ...Buffer.from('</title>')]),
        { 'content-type': 'text/html; charset="windows-1251"' },
      ),
      '/nonsense': answer('<title>café</title>', { 'content-type': 'text/html; charset=no-such' }),
    });
    const titles = Object.fromEntries(pages.map(({ address, title }) => [new URL(address).pathname, title]));
    expect(titles).toMatchObject({
      '/header': 'café',
      '/meta': 'café',
      '/bom': 'café',
      '/none': 'café',
      '/cyrillic': 'кофе',
      '/nonsense': 'café',
    });
  });

  it('stops at the depth and at the number of pages that it is given', async () => {
    const chain: Pages = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [n === 0 ? '/' : `/${n}`, linking(`/${n + 1}`)] as const),
    );
    const deep = await once(chain, { maxDepth: 3 });
    expect(deep.pages).toHaveLength(4);
    expect(deep.frontier.leftOut.depth).toBe(1);
    const few = await once(chain, { maxPages: 5 });
    expect(few.pages).toHaveLength(5);
    expect(few.frontier.leftOut.pages).toBe(1);
  });

  it('makes no more requests of a site at once than it is told', async () => {
    let now = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const slow = (_: unknown, response: import('node:http').ServerResponse) => {
      now += 1;
      most = Math.max(most, now);
      waiting.push(() => {
        now -= 1;
        response.writeHead(404).end();
      });
      // The last ones come alone.
      setImmediate(() => setImmediate(() => waiting.shift()?.()));
    };
    const paths = Array.from({ length: 30 }, (_, n) => `/${n}`);
    const { requests } = await once(
      { '/': linking(...paths), ...Object.fromEntries(paths.map((path) => [path, slow] as const)) },
      { perHost: 3 },
    );
    expect(requests).toHaveLength(32);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('finds the same on threads as on the main thread', async () => {
    const pages: Pages = Object.fromEntries(
      Array.from(
        { length: 40 },
        (_, n) => [n === 0 ? '/' : `/${n}`, linking(`/${n * 2 + 1}`, `/${n * 2 + 2}`)] as const,
      ),
    );
    await using site = await serve(pages);
    const sorted = (found: readonly Page[]) =>
      [...found]
        .sort((a, b) => (a.address < b.address ? -1 : 1))
        .map((page) => ({ ...page, from: undefined }));
    const here = await crawl(site);
    const there = await crawl(site, { threads: 2 });
    expect(here.pages).toHaveLength(40);
    expect(sorted(there.pages)).toEqual(sorted(here.pages));
    expect(site.requests).toHaveLength(2 * (1 + here.frontier.admitted));
  });

  it.each([
    ['is nested too deeply', `<h1>${'<span>'.repeat(20_000)}`, 1, 'RangeError'],
    ['is nested too deeply, on the main thread', `<h1>${'<span>'.repeat(20_000)}`, 0, 'RangeError'],
    ['takes the memory of its thread', '<br>'.repeat(1_500_000), 1, 'SW_WORKERS_OUT_OF_MEMORY'],
  ])(
    'gives up a page that %s, and goes on with the others',
    async (_, bomb, threads, code) => {
      const { pages, broken } = await once(
        { '/': linking('/bomb', '/ok'), '/bomb': bomb, '/ok': linking() },
        { threads, maxBytes: 10_000_000 },
      );
      expect(pages.map(({ address }) => new URL(address).pathname).sort()).toEqual(['/', '/ok']);
      expect(broken).toEqual({ '/bomb': `it cannot be parsed (${code})` });
    },
    180_000,
  );

  it('drains: what is under way is written, and what waits is told', async () => {
    const draining: { pipeline?: Crawling['pipeline'] } = {};
    await using site = await serve({
      '/': linking(...Array.from({ length: 50 }, (_, n) => `/${n}`)),
      ...Object.fromEntries(
        Array.from({ length: 50 }, (_, n) => [
          `/${n}`,
          (_: unknown, response: import('node:http').ServerResponse) => {
            void draining.pipeline?.drain();
            response.writeHead(200, { 'content-type': 'text/html' }).end(linking('/more'));
          },
        ]),
      ),
    });
    const crawled = await crawling(
      `${site.origin}/`,
      {
        perHost: 2,
        delayMs: 0,
        timeoutMs: 5000,
        maxBytes: 100_000,
        maxPages: 1000,
        maxDepth: 50,
        origins: new Set([site.origin]),
        attempts: 4,
        threads: 0,
      },
      join(folder, 'drained.ndjson'),
    );
    draining.pipeline = crawled.pipeline;
    const report = await crawled.pipeline.run();
    await crawled.fetcher.close();
    expect(report.outcome).toBe('drained');
    expect(report.written).toBe(site.requests.length - 1);
    expect(report.written).toBeLessThan(10);
    expect(crawled.frontier.waiting).toBe(crawled.frontier.admitted - report.written);
  });
});
