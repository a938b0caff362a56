import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BROUGHT, compareBrought } from '../release-check/brought.ts';
import { checkTypes, openDoors } from '../release-check/doors.ts';
import { checkManifest, type Manifest, publicPackages } from '../release-check/manifest.ts';
import { inParallel, runToEnd } from '../release-check/program.ts';
import { bytes, table } from '../release-check/table.ts';
import { checkContents, checkPacked } from '../release-check/tarball.ts';

const workspace = join(import.meta.dirname, '../..');
const packages = publicPackages(workspace);
const options = { env: process.env, signal: new AbortController().signal };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string | object>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
}

describe('the packages that are published', () => {
  it('are those of the list of what they bring', () => {
    expect(packages.map(({ manifest }) => manifest.name).toSorted()).toEqual(Object.keys(BROUGHT).toSorted());
  });

  it.each(packages.map((each) => [each.manifest.name, each] as const))(
    '%s says in its package.json what npm and its users need',
    (_name, { manifest, folder: root }) => {
      expect(checkManifest(manifest, `packages/${basename(root)}`)).toEqual([]);
    },
  );
});

describe('checkManifest', () => {
  const good = packages.find(({ manifest }) => manifest.name === '@streamweld/file')?.manifest as Manifest;

  it.each<[string, object]>([
    ['repository is', { repository: { type: 'git', url: 'https://github.com/somebody/else' } }],
    ['license is "MIT"', { license: 'MIT' }],
    ['engines is undefined', { engines: undefined }],
    ['sideEffects is undefined', { sideEffects: undefined }],
    ['not public', { publishConfig: {} }],
    ['files lacks dist', { files: ['src', '!dist/*.tsbuildinfo'] }],
    ['keywords', { keywords: [] }],
    ['is a peer', { peerDependencies: { '@streamweld/core': 'workspace:^' } }],
    ['depended on as workspace:*', { dependencies: { '@streamweld/core': 'workspace:*' } }],
  ])('tells that %s', (told, change) => {
    expect(checkManifest({ ...good, ...change }, 'packages/file')).toEqual([expect.stringContaining(told)]);
  });
});

describe('compareBrought', () => {
  it('tells what was not invited, and what did not come', () => {
    const brought = { always: ['@streamweld/core', 'papaparse'], perhaps: ['@napi-rs/nice*'] };
    expect(compareBrought(brought, ['@streamweld/core', '@napi-rs/nice-linux-x64-gnu', 'lodash'])).toEqual({
      uninvited: ['lodash'],
      missing: ['papaparse'],
    });
  });
});

describe('a tarball', () => {
  const packed = {
    name: '@streamweld/x',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  };
  const files = {
    'README.md': '',
    LICENSE: '',
    'package.json': packed,
    'src/index.ts': '',
    'dist/index.js': '',
    'dist/index.js.map': '',
    'dist/index.d.ts': '',
    'dist/index.d.ts.map': '',
  };
  const manifest = { version: '0.1.0', ...packed };

  it('has nothing wrong with it', () => {
    write(files);
    expect([...checkContents(folder), ...checkPacked(manifest, folder)]).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, string | object>>]>([
    ['lacks LICENSE', { ...files, LICENSE: undefined as unknown as string }],
    ['holds test/x.test.ts', { ...files, 'test/x.test.ts': '' }],
    ['holds dist/tsconfig.tsbuildinfo', { ...files, 'dist/tsconfig.tsbuildinfo': '' }],
    [
      'still says workspace:',
      { ...files, 'package.json': { ...packed, dependencies: { a: 'workspace:^' } } },
    ],
    [
      'still says @streamweld/source',
      {
        ...files,
        'package.json': {
          ...packed,
          exports: { '.': { '@streamweld/source': './src/index.ts', ...packed.exports['.'] } },
        },
      },
    ],
    [
      'name different doors: ., published . ./more',
      {
        ...files,
        'package.json': { ...packed, exports: { ...packed.exports, './more': packed.exports['.'] } },
      },
    ],
    [
      '. (types) leads to ./dist/index.d.ts, which is not in the tarball',
      { ...files, 'dist/index.d.ts': undefined as unknown as string },
    ],
  ])('that %s is told', (told, broken) => {
    write(Object.fromEntries(Object.entries(broken).filter(([, content]) => content !== undefined)));
    expect([...checkContents(folder), ...checkPacked(manifest, folder)]).toEqual([
      expect.stringContaining(told),
    ]);
  });
});

describe('doors', () => {
  const module = (exports: object): Readonly<Record<string, string | object>> => ({
    'package.json': { type: 'module' },
    'node_modules/p/package.json': { name: 'p', type: 'module', exports },
    'node_modules/p/index.js': 'export const one = 1;',
  });

  it('that open are not spoken of', async () => {
    write({
      ...module({ '.': { types: './index.d.ts', default: './index.js' } }),
      'node_modules/p/index.d.ts': 'export declare const one: number;',
    });
    expect(await openDoors(['p'], folder, options)).toEqual([]);
    expect(await types()).toEqual([]);
  });

  it('that name nothing, or lead nowhere, are told', async () => {
    write({
      ...module({ '.': './empty.js', './gone': './gone.js' }),
      'node_modules/p/empty.js': 'export {};',
    });
    const told = await openDoors(['p', 'p/gone'], folder, options);
    expect(told).toContain('import of p names nothing');
    expect(told).toContainEqual(expect.stringMatching(/^import of p\/gone fails: Cannot find/));
  });

  it('without types are told, once for each way to resolve', async () => {
    write(module({ '.': './index.js' }));
    expect(await types()).toEqual([
      expect.stringMatching(/^under moduleResolution nodenext: .*TS7016/),
      expect.stringMatching(/^under moduleResolution bundler: .*TS7016/),
    ]);
  });

  it('whose types speak of a package that is not there are told', async () => {
    write({
      ...module({ '.': { types: './index.d.ts', default: './index.js' } }),
      'node_modules/p/index.d.ts': "import type { Pool } from 'absent'; export declare const one: Pool;",
    });
    expect(await types()).toContainEqual(expect.stringContaining("Cannot find module 'absent'"));
  });

  const types = (): Promise<string[]> =>
    checkTypes(['p'], folder, {}, join(workspace, 'node_modules/.bin/tsc'), options);
});

describe('what prints', () => {
  it('lines up numbers', () => {
    expect(
      table(
        ['what', 'size'],
        [
          ['a', bytes(1234)],
          ['bcdef', bytes(12_345_678)],
        ],
      ),
    ).toBe('| what  |    size |\n| ----- | ------: |\n| a     |  1.2 kB |\n| bcdef | 12.3 MB |');
  });
});

describe('programs', () => {
  it('end with all they started when they are aborted', async () => {
    const stop = new AbortController();
    const pids = join(folder, 'pids');
    // A child of the shell, that nobody but its group knows.
    const running = runToEnd(
      'sh',
      ['-c', `sleep 600 & echo $! > ${pids}.part; mv ${pids}.part ${pids}; wait`],
      {
        cwd: folder,
        env: process.env,
        signal: stop.signal,
      },
    );
    await expect.poll(() => existsSync(pids)).toBe(true);
    stop.abort(new Error('told to end'));
    await expect(running).rejects.toThrow('told to end');
    const pid = Number(readFileSync(pids, 'utf8'));
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  it('run at most so many at once, and answer in order', async () => {
    let running = 0;
    let most = 0;
    const answers = await inParallel([3, 1, 2, 0], 2, async (each) => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < each; turn++) await Promise.resolve();
      running--;
      return each;
    });
    expect([answers, most]).toEqual([[3, 1, 2, 0], 2]);
  });
});

/** One that has ended and was not waited for by its parent yet is not running. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
