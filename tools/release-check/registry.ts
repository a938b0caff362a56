/** A registry of npm packages on loopback: what is published to it stays in it, what it lacks comes from the one in use. */

import { once } from 'node:events';
import fs from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { runServer } from 'verdaccio';
import { mustRun, type ProgramOptions } from './program.ts';

export interface Registry {
  readonly url: string;
  /** The environment of programs that are to use it, and none of the user's own settings of npm. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/**
 * It runs in this process: however that ends, the registry has ended with it.
 * @param folder holds what it stores, its settings for npm, and a cache of npm.
 */
export async function startRegistry(folder: string, options: ProgramOptions): Promise<Registry> {
  const setting = async (name: string): Promise<string | undefined> => {
    const said = (await mustRun('npm', ['config', 'get', name], options)).trim();
    return said === '' || said === 'null' ? undefined : said;
  };
  const [upstream, authority] = await Promise.all([setting('registry'), setting('cafile')]);
  const server = (await runServer({
    self_path: path.join(folder, 'verdaccio.yaml'),
    storage: path.join(folder, 'storage'),
    uplinks: {
      upstream: {
        url: upstream,
        timeout: '60s',
        ...(authority === undefined ? {} : { ca: fs.readFileSync(authority, 'utf8') }),
      },
    },
    packages: {
      // Never asked for upstream: a version that is released there already is published here all the same.
      '@streamweld/*': { access: '$all', publish: '$all' },
      '**': { access: '$all', proxy: 'upstream' },
    },
    max_body_size: '50mb',
    web: { enable: false },
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  } as unknown as Parameters<typeof runServer>[0])) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `http://${host}/`;

  const npmrc = path.join(folder, 'npmrc');
  // Everybody may publish; clients refuse to without a token all the same.
  fs.writeFileSync(npmrc, `registry=${url}\n//${host}/:_authToken=everybody\n`);
  const env: NodeJS.ProcessEnv = {
    // What a script of pnpm or npm is told about its caller is not for the programs here.
    ...Object.fromEntries(
      Object.entries(options.env).filter(([name]) => !/^p?npm_(config|package|lifecycle)_/i.test(name)),
    ),
    npm_config_registry: url,
    npm_config_userconfig: npmrc,
    npm_config_cache: path.join(folder, 'cache'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    npm_config_fetch_retries: '2',
    npm_config_fetch_retry_mintimeout: '500',
    npm_config_fetch_retry_maxtimeout: '2000',
  };
  return {
    url,
    env,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
