import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MANUAL_FOLDER, manualPages } from '../src/manual.ts';
import { ManualSite } from '../src/site.ts';

/** As the documents of Apache have it, with all nine fields. */
const COMBINED =
  /^(\S+) \S+ \S+ \[(\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$/;

let folder: string;
let accessLog: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scraper-site-'));
  accessLog = join(folder, 'access.log');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function lines(): Promise<RegExpExecArray[]> {
  const text = await readFile(accessLog, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => COMBINED.exec(line) ?? expect.fail(`No line of the combined format: ${line}`));
}

describe('ManualSite', () => {
  it('serves every page of the manual as it is, and links it from a listing', async () => {
    await using site = await ManualSite.start({ accessLog });
    expect(manualPages()).toHaveLength(93);
    const root = await (await fetch(site.url)).text();
    for (const page of manualPages()) {
      const [folderName = '', name = ''] = page.split('/');
      expect(root).toContain(`href="${folderName}/"`);
      const listing = await (await fetch(`${site.url}${folderName}/`)).text();
      expect(listing).toContain(`href="${name}"`);
      const answer = await fetch(site.url + page);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const bytes = await readFile(join(MANUAL_FOLDER, page));
      expect(bytes.equals(Buffer.from(await answer.arrayBuffer())), page).toBe(true);
    }
  });

  it('serves the manual more than once, each copy in a folder', async () => {
    await using site = await ManualSite.start({ accessLog, copies: 3 });
    const root = await (await fetch(site.url)).text();
    expect(root.match(/href="[^"]+"/g)).toEqual([
      'href="1/"',
      'href="2/"',
      'href="3/"',
      'href="/server-status"',
    ]);
    const page = await (await fetch(`${site.url}3/commands/npm-ls.html`)).text();
    expect(page).toBe(await readFile(join(MANUAL_FOLDER, 'commands/npm-ls.html'), 'utf8'));
    expect(await (await fetch(`${site.url}2/commands/`)).text()).toContain('Index of /2/commands/');
    for (const path of ['commands/npm-ls.html', '4/', '0/'])
      expect((await fetch(site.url + path)).status).toBe(404);
  });

  it('answers what is not there, what it does not do, and a folder without its slash', async () => {
    await using site = await ManualSite.start({ accessLog });
    const status = async (path: string, init?: RequestInit) =>
      (await fetch(site.url + path, { redirect: 'manual', ...init })).status;
    expect(await status('commands/npm-config')).toBe(404);
    expect(await status('..%2f..%2fpackage.json')).toBe(404);
    expect(await status('', { method: 'POST', body: 'x' })).toBe(405);
    expect(await status('commands')).toBe(301);
    const head = await fetch(`${site.url}commands/npm.html`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    expect((await fetch(`${site.url}robots.txt`)).status).toBe(200);
  });

  it('writes a line of the combined format for each request, before it is answered', async () => {
    await using site = await ManualSite.start({ accessLog, failEvery: 3 });
    await fetch(`${site.url}commands/npm-ls.html?a=1`, {
      headers: { 'user-agent': 'a "quoted" \\ agent' },
    });
    await fetch(`${site.url}gone`);
    expect((await fetch(site.url)).status).toBe(503);
    await site.close();
    const [first, second, third, ...more] = await lines();
    expect(more).toEqual([]);
    const bytes = (await readFile(join(MANUAL_FOLDER, 'commands/npm-ls.html'))).length;
    expect(first?.[1]).toBe('127.0.0.1');
    expect(Math.abs(Date.now() - Date.parse(first?.[2]?.replace(':', ' ') ?? ''))).toBeLessThan(60_000);
    expect(first?.slice(3)).toEqual([
      'GET /commands/npm-ls.html?a=1 HTTP/1.1',
      '200',
      String(bytes),
      '-',
      'a \\"quoted\\" \\\\ agent',
    ]);
    expect([second?.[4], third?.[4]]).toEqual(['404', '503']);
  });

  it('keeps a request that tries to forge a line in one line', async () => {
    await using site = await ManualSite.start({ accessLog });
    const { port } = new URL(site.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('GET /" HTTP/1.1\r\nHost: x\r\nUser-Agent: a\t\xffb\r\nConnection: close\r\n\r\n', 'latin1');
    socket.resume();
    await once(socket, 'close');
    await site.close();
    const [line, ...more] = await lines();
    expect(more).toEqual([]);
    expect(line?.[3]).toBe('GET /\\" HTTP/1.1');
    expect(line?.[7]).toBe('a\\x09\\xffb');
  });

  it('appends to a log that is there, and says so at once where it cannot', async () => {
    for (let start = 0; start < 2; start += 1) {
      await using site = await ManualSite.start({ accessLog });
      await fetch(site.url);
    }
    expect(await lines()).toHaveLength(2);
    await expect(ManualSite.start({ accessLog: join(folder, 'no/such/folder') })).rejects.toThrow('ENOENT');
  });
});
