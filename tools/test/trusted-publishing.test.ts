import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runToEnd } from '../release-check/program.ts';

const changeset = join(import.meta.dirname, '../../node_modules/.bin/changeset');

/** What GitHub gives a workflow, as far as it is read here: no signature is checked. */
function idToken(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.`;
}

let folder: string;
let server: Server;
let url: string;
/** What GitHub and npm were asked, in their order: both are played by one server. */
let asked: string[];
let trusts: boolean;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trusted-publishing-'));
  asked = [];
  trusts = true;
  const token = idToken({ repository_visibility: 'private' });
  server = createServer((request, response) => {
    const authorization = request.headers.authorization?.replace(token, 'the token of GitHub');
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    request.resume().on('end', () => {
      const path = decodeURIComponent(request.url ?? '');
      if (request.method !== 'GET' || authorization !== undefined)
        asked.push(`${request.method} ${path} as ${authorization}`);
      if (path.startsWith('/github')) answer(200, { value: token });
      else if (path.startsWith('/-/npm/v1/oidc/token/exchange/package/'))
        answer(trusts ? 201 : 404, trusts ? { token: 'a token of npm' } : {});
      else if (request.method === 'PUT') answer(authorization === 'Bearer a token of npm' ? 201 : 404, {});
      else answer(404, { error: 'not found' });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const [file, content] of Object.entries({
    'package.json': { private: true, packageManager: 'pnpm@12.21.0' },
    'pnpm-workspace.yaml': 'packages: [p]\npmOnFail: ignore\n',
    'pnpm-lock.yaml': "lockfileVersion: '9.0'\n",
    '.changeset/config.json': { access: 'public', changelog: false },
    'p/package.json': { name: '@streamweld/p', version: '0.1.0', publishConfig: { access: 'public' } },
    // As setup-node leaves it without registry-url: there is no token in it.
    npmrc: `registry=${url}\n`,
  })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
  }
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  rmSync(folder, { recursive: true });
});

const publish = (): Promise<{ readonly code: number; readonly output: string }> =>
  runToEnd(changeset, ['publish', '--no-git-tag'], {
    cwd: folder,
    env: {
      ...process.env,
      npm_config_registry: url,
      npm_config_userconfig: join(folder, 'npmrc'),
      npm_config_fetch_retries: '0',
      // As in a job of GitHub with `id-token: write`.
      GITHUB_ACTIONS: 'true',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}github?`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of the job',
    },
    signal: new AbortController().signal,
  });

// It is on the path of whatever pnpm runs, as in `pnpm test`.
const hasPnpm = await runToEnd('pnpm', ['--version'], {
  cwd: tmpdir(),
  env: process.env,
  signal: new AbortController().signal,
}).then(
  () => true,
  () => false,
);

describe.runIf(hasPnpm || process.env['CI'] !== undefined)(
  'changeset publish, in a job that npm trusts',
  () => {
    it('changes the token of GitHub for one of npm, for that package', async () => {
      const { code, output } = await publish();
      expect(output).toContain('@streamweld/p@0.1.0');
      expect(code).toBe(0);
      expect(asked).toEqual([
        expect.stringMatching(/^GET \/github\?.*audience=npm:127\.0\.0\.1.* as Bearer of the job$/),
        'POST /-/npm/v1/oidc/token/exchange/package/@streamweld/p as Bearer the token of GitHub',
        'PUT /@streamweld/p as Bearer a token of npm',
      ]);
    });

    it('fails where npm does not trust it, as for a package that does not exist yet', async () => {
      trusts = false;
      const { code, output } = await publish();
      expect(output).toContain('packages failed to publish');
      expect(code).toBe(1);
    });
  },
);
