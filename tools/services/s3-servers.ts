/** The servers that speak S3: how each is started, and where its binary is found or built. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './command.ts';
import { cacheFolder, makeOnce } from './locked.ts';

const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server {
  readonly kind: 'versitygw' | 'minio';
  /** Answered with 200 when it takes requests, and not only connections. */
  readonly health: string;
  args(address: string, folder: string): string[];
  env(keys: S3Keys): NodeJS.ProcessEnv;
  /** @throws Error that says why there is none here. */
  find(): Promise<string>;
}

const versitygw = {
  kind: 'versitygw',
  health: '/health',
  args: (address, folder) => [...gateway(address), 'posix', folderIn(folder, 'data')],
  env: ({ accessKeyId, secretAccessKey }) => ({
    ROOT_ACCESS_KEY: accessKeyId,
    ROOT_SECRET_KEY: secretAccessKey,
  }),
} as const satisfies Partial<S3Server>;

/**
 * Where the file system has no attributes, and it does not start for that. What belongs to an object lies in files of its own
 * then: who reads an object while it is replaced may get the one of the old and the other of the new, and where the server is
 * killed at that moment it stays so.
 */
const withoutAttributes = {
  ...versitygw,
  args: (address, folder) => [
    ...gateway(address),
    ...['posix', '--sidecar', folderIn(folder, 'attributes'), folderIn(folder, 'data')],
  ],
} as const satisfies Partial<S3Server>;

/** In the order in which they are tried: what has to be built comes last. */
export const S3_SERVERS: readonly S3Server[] = [
  { ...versitygw, find: async () => binary('versitygw') },
  { ...withoutAttributes, find: async () => binary('versitygw') },
  {
    kind: 'minio',
    health: '/minio/health/cluster',
    args: (address, folder) => ['server', '--quiet', '--address', address, folderIn(folder, 'data')],
    env: ({ accessKeyId, secretAccessKey }) => ({
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    }),
    find: async () => binary('minio'),
  },
  { ...versitygw, find: buildVersitygw },
  { ...withoutAttributes, find: buildVersitygw },
];

/** Without the first, each request is a connection of its own. */
function gateway(address: string): string[] {
  return ['--keep-alive', '--quiet', '--port', address, '--health', '/health'];
}

function folderIn(folder: string, name: string): string {
  const made = path.join(folder, name);
  fs.mkdirSync(made, { recursive: true });
  return made;
}

/** What is built here lies there. */
function builtVersitygw(): string {
  return path.join(cacheFolder(), VERSITYGW.slice(VERSITYGW.lastIndexOf('/') + 1));
}

function binary(name: 'versitygw' | 'minio'): string {
  for (const folder of binaryFolders()) {
    const file = path.join(folder, name);
    if (isExecutable(file)) return file;
  }
  throw new Error('neither on the PATH nor in ~/go/bin');
}

function* binaryFolders(): Iterable<string> {
  yield* (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  yield builtVersitygw();
  yield path.join(os.homedir(), 'go', 'bin');
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The first that asks has Go build it, which takes minutes, and the others wait for it. */
async function buildVersitygw(): Promise<string> {
  await run('go', ['version']).catch(() => {
    throw new Error(
      'there is no Go to build it: install Go 1.25 or later (https://go.dev/dl), or versitygw, or minio',
    );
  });
  const target = builtVersitygw();
  await makeOnce(target, async () => {
    const folder = fs.mkdtempSync(`${target}-`);
    try {
      // Whoever else works on this machine goes first.
      await run('nice', ['-n', '10', 'go', 'install', VERSITYGW], { ...process.env, GOBIN: folder });
      // Another may have been quicker, if it took this one for dead.
      if (!fs.existsSync(target)) fs.renameSync(folder, target);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
  return path.join(target, 'versitygw');
}
