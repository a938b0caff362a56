/** Who gets an answer of the inspector, on a real server: whoever should not gets 403 and no data. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspector, type Inspector } from '../../src/inspector/inspector.ts';
import { ask, endless, open, tokenOf } from './running.ts';

let at: Inspector;
let host: string;
let token: Readonly<Record<string, string>>;

beforeEach(async () => {
  at = await inspector(endless((n) => n).name('the secret name'), { control: true, items: true });
  ({ host } = new URL(at.url));
  token = { 'x-streamweld-token': tokenOf(at.url) };
});
afterEach(() => at.close());

const PATHS = [
  ['GET', '/stream'],
  ['GET', '/history?pipeline=1'],
  ['GET', '/items?pipeline=1&stage=numbers%230'],
  ['POST', '/control?pipeline=1&action=pause'],
] as const;
const FILES = ['/', '/page.js', '/page.css', '/icon.svg'];

describe('the inspector', () => {
  it('listens on the loopback alone, on a port that was free, and has its token in the fragment', () => {
    expect(at.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{32}$/u);
  });

  it.each(PATHS)('answers %s %s only to whoever has the token in a header', async (method, path) => {
    for (const headers of [
      {},
      { 'x-streamweld-token': '' },
      { 'x-streamweld-token': 'A'.repeat(32) },
      { 'x-streamweld-token': [token['x-streamweld-token'] ?? '', 'x'] },
      { cookie: `token=${tokenOf(at.url)}` },
      { authorization: `Bearer ${tokenOf(at.url)}` },
    ])
      expect(await ask(at.url, { method, path, headers: { host, ...headers } })).toMatchObject({
        status: 403,
        body: '',
      });
    const inQuery = `${path}${path.includes('?') ? '&' : '?'}token=${tokenOf(at.url)}`;
    expect(await ask(at.url, { method, path: inQuery, headers: { host } })).toMatchObject({
      status: 403,
      body: '',
    });
  });

  it('answers nothing under a name that is not its own: somebody may point theirs at this machine', async () => {
    const port = new URL(at.url).port;
    const names = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.',
      '0.0.0.0',
      ':80',
    ];
    for (const name of names)
      for (const path of [...FILES, '/stream'])
        expect(
          await ask(at.url, { path, headers: { host: name, ...token } }),
          `${name}${path}`,
        ).toMatchObject({
          status: 403,
          body: '',
        });
    for (const name of [`localhost:${port}`, '127.0.0.1', `[::1]:${port}`, 'LOCALHOST:9999'])
      expect((await ask(at.url, { headers: { host: name } })).status, name).toBe(200);
  });

  it('answers nothing to a page of another site, even with the token', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `http://localhost:1`,
      `http://${host}.evil.example`,
      '',
    ])
      for (const path of [...FILES, '/stream'])
        expect(
          await ask(at.url, { path, headers: { host, origin, ...token } }),
          `${origin} ${path}`,
        ).toMatchObject({ status: 403, body: '' });
    expect((await ask(at.url, { headers: { host, origin: `http://${host}` } })).status).toBe(200);
  });

  it('gives no other site leave to read or to ask', async () => {
    const asked = {
      host,
      origin: 'https://evil.example',
      'access-control-request-headers': 'x-streamweld-token',
    };
    for (const method of ['OPTIONS', 'POST', 'GET']) {
      const { status, headers, body } = await ask(at.url, {
        method,
        path: '/control?pipeline=1',
        headers: asked,
      });
      expect([status, body]).toEqual([403, '']);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('does not become a WebSocket for another site', async () => {
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const headers = {
      host,
      ...token,
      origin: 'https://evil.example',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...upgrade,
    };
    expect(await ask(at.url, { path: '/stream', headers })).toMatchObject({ status: 403, body: '' });
  });

  it('says with every answer that nothing else may run, frame, sniff or keep it', async () => {
    for (const asking of [
      { path: '/' },
      { path: '/page.js' },
      { path: '/nothing' },
      { headers: { host: 'evil' } },
    ]) {
      const { headers } = await ask(at.url, { headers: { host }, ...asking });
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/u,
      );
      expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|data:/u);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
    }
  });

  it('has nothing secret in what needs no token', async () => {
    for (const path of FILES) {
      const { status, body } = await ask(at.url, { path, headers: { host } });
      expect(status).toBe(200);
      expect(body).not.toContain(tokenOf(at.url));
      expect(body).not.toContain('the secret name');
    }
  });

  it('answers strange requests, and goes on', async () => {
    for (const path of [
      '//',
      '/%',
      '/../../etc/passwd',
      '/__proto__',
      '/constructor',
      'http://x/',
      '/?',
      '*',
    ])
      expect((await ask(at.url, { path, headers: { host, ...token } })).status, path).toBeLessThan(500);
    expect((await ask(at.url, { method: 'DELETE', headers: { host } })).status).toBe(405);
    expect((await ask(at.url, { path: '/control', headers: { host, ...token } })).status).toBe(405);
    const stream = await open(at.url, { path: '/stream', headers: { host, ...token } });
    expect(stream.statusCode).toBe(200);
    stream.destroy();
  });
});
