import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, expectProved } from '@streamweld/app-kit/test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualPages } from '../src/manual.ts';
import type { Page } from '../src/parse.ts';
import { linking, redirect, serve } from './serving.ts';

/** Starting a thread from source takes seconds on a busy machine. */
const PATIENT = 240_000;

let folder: string;
let app: AppProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scraper-app-'));
});
afterEach(async () => {
  await app?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the app, which is ended after the test if it has not. */
function start(...args: readonly string[]): AppProcess {
  return (app = new AppProcess(new URL('../src/main.ts', import.meta.url), args, { cwd: folder }));
}

const read = (path: string) => readFile(join(folder, path), 'utf8');

async function pagesOf(path: string): Promise<Page[]> {
  return (await read(path))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Page);
}

describe('web-scraper', () => {
  it(
    'crawls the manual on the main thread and on threads, and proves it',
    async () => {
      const ended = await start('--copies', '1', '--threads', '1', '--out', '.').ended;
      expectProved(ended, 18);
      const { stdout, stderr } = ended;
      expect(stdout).toContain(
        'main thread: 97 of 97 pages that can be reached were served once, 0 more than once',
      );
      expect(stdout).toMatch(
        /A page takes [\d.]+ ms of a processor to serve and fetch, and [\d.]+ ms to parse: parsing is the slow side/,
      );
      expect(stdout).toMatch(/parsed on 1 thread +97 /);
      expect(stdout).toMatch(/22 pages +\/using-npm\/config: it is answered with 404/);
      expect(stderr.match(/web-scraper completed in .*97 written/g)).toHaveLength(2);
      for (const round of ['main-thread', 'threads']) {
        const pages = await pagesOf(`streamweld-web-scraper/${round}/pages.ndjson`);
        const paths = pages.map(({ address }) => new URL(address).pathname.slice(1));
        expect(paths.filter((path) => path.endsWith('.html')).sort()).toEqual(manualPages());
        const log = await read(`streamweld-web-scraper/${round}/access.log`);
        for (const page of manualPages()) expect(log.split(`"GET /${page} HTTP/1.1" 200 `)).toHaveLength(2);
        expect(log).not.toContain('server-status');
        expect(log).toContain('" 503 ');
      }
    },
    PATIENT,
  );

  it(
    'crawls a site that is given, into files of its own',
    async () => {
      await using site = await serve({
        '/': linking('/a', '/gone', 'https://elsewhere.example/'),
        '/a': `<title>A, "quoted"</title><a href="/">up</a>`,
      });
      const ended = await start(`${site.origin}/`, '--delay', '0', '--threads', '0').ended;
      expectProved(ended, 4);
      const into = join('scraped', site.origin.replace('http://', '').replace(':', '-'));
      expect((await pagesOf(join(into, 'pages.ndjson'))).map(({ title }) => title)).toEqual([
        'links',
        'A, "quoted"',
      ]);
      expect((await read(join(into, 'links.csv'))).trim().split(/\r?\n/).sort()).toEqual(
        [
          'from,to,what',
          `${site.origin}/,${site.origin}/a,page`,
          `${site.origin}/,${site.origin}/gone,broken`,
          `${site.origin}/,https://elsewhere.example/,not visited`,
          `${site.origin}/a,${site.origin}/,page`,
        ].sort(),
      );
      expect(ended.stdout).toContain('/gone: it is answered with 404; as in /');
    },
    PATIENT,
  );

  it(
    'says so where a limit ended it',
    async () => {
      await using site = await serve({ '/': linking('/a', '/b', '/c'), '/a': linking(), '/b': linking() });
      const ended = await start(
        `${site.origin}/`,
        '--delay',
        '0',
        '--threads',
        '0',
        '--pages',
        '2',
        '--out',
        'x',
      ).ended;
      expectProved(ended, 4);
      expect(ended.stdout).toContain('2 times beyond the limits');
      expect(ended.stdout).toContain(
        '4 addresses of the site are linked, 2 were visited, 2 left out: beyond the limits',
      );
    },
    PATIENT,
  );

  it(
    'finishes what is under way at Ctrl-C, and proves what it has',
    async () => {
      let asked = 0;
      await using site = await serve(
        Object.fromEntries(
          Array.from({ length: 200 }, (_, n) => [
            n === 0 ? '/' : `/${n}`,
            (_: unknown, response: import('node:http').ServerResponse) => {
              asked += 1;
              if (asked === 5) app?.interrupt();
              const more = Array.from({ length: 10 }, (_, at) => `/${n * 10 + at + 1}`);
              response.writeHead(200, { 'content-type': 'text/html' }).end(linking(...more));
            },
          ]),
        ),
      );
      const ended = await start(`${site.origin}/`, '--delay', '50', '--threads', '0', '--out', 'x').ended;
      expectProved(ended, 4);
      expect(ended.stderr).toContain('Stopping: what was requested is finished');
      expect(ended.stdout).toMatch(/Stopped before the end: \d+ addresses were known and not requested/);
      const pages = await pagesOf('x/pages.ndjson');
      expect(pages).toHaveLength(site.requests.length - 1);
      expect(pages.length).toBeLessThan(100);
    },
    PATIENT,
  );

  it(
    'gives up at a second Ctrl-C, and leaves what was there',
    async () => {
      await writeFile(join(folder, 'pages.ndjson'), 'of an earlier run\n');
      await using site = await serve({
        '/': linking('/slow'),
        '/slow': () => app?.interrupt(),
      });
      const running = start(`${site.origin}/`, '--delay', '0', '--threads', '0', '--out', '.');
      await running.says(/Stopping/);
      running.interrupt();
      const { code, stdout, stderr } = await running.ended;
      expect(code, stdout + stderr).toBe(130);
      expect(stderr).toContain('Aborted by a second Ctrl-C: pages.ndjson is as it was before.');
      expect(await readdir(folder)).toEqual(['pages.ndjson']);
      expect(await read('pages.ndjson')).toBe('of an earlier run\n');
    },
    PATIENT,
  );

  it(
    'says what to do where there is no site, or no page to begin with',
    async () => {
      const gone = await serve({});
      await gone[Symbol.asyncDispose]();
      await using site = await serve({
        '/moved': redirect('https://elsewhere.example/'),
        '/image': (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(),
      });
      const told = [
        [
          `${gone.origin}/`,
          /SCRAPER_NO_START: .* cannot be crawled: robots.txt cannot be read: nothing answers at this address, 2 times\. Check the address/,
        ],
        [`${site.origin}/gone`, /it is answered with 404\. Check the address/],
        [
          `${site.origin}/moved`,
          /it redirects to https:\/\/elsewhere\.example\/, which is another site\. Start there, or add --origin https:\/\/elsewhere\.example\./,
        ],
        [`${site.origin}/image`, /it is no HTML\. Start at a page that links to others/],
      ] as const;
      for (const [address, message] of told) {
        const { code, stderr } = await start(
          address,
          '--attempts',
          '2',
          '--threads',
          '0',
          '--progress',
          'none',
        ).ended;
        expect(code, stderr).toBe(1);
        expect(stderr).toMatch(message);
        expect(stderr.trim().split('\n')).toHaveLength(1);
      }
    },
    PATIENT,
  );

  it(
    'answers what cannot be meant with what is expected, as does --help',
    async () => {
      const wrong = await start('--pages', 'many').ended;
      expect(wrong.code).toBe(2);
      expect(wrong.stderr).toContain('--pages: expected a whole number from 1 to 1000000, got "many".');
      const help = await start('--help').ended;
      expect(help.code).toBe(0);
      expect(help.stdout).toContain('--per-host N');
    },
    PATIENT,
  );
});
