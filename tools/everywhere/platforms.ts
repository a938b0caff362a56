/** Where StreamWeld's tests are run: the one table of platforms, their exact versions, and how each is had. */

import { arch, platform } from 'node:os';

/** A platform whose program runs Vitest itself, with all processes that tests start. */
export interface ProcessPlatform {
  readonly kind: 'process';
  readonly name: string;
  readonly version: string;
  /** The package of npm that holds the program for this machine: no install script is needed to have it. */
  readonly package: string;
  /** The program's path in that package. */
  readonly program: string;
  /** What stands before the path of Vitest's own program. */
  readonly args: readonly string[];
}

/** A platform that Vitest, running under the Node of whoever asks, opens. Its version is whatever is installed. */
interface BrowserPlatform {
  readonly kind: 'browser';
  readonly name: string;
}

export type Platform = ProcessPlatform | BrowserPlatform;

/** Of machines as npm's packages name them; tried on Linux with x64. */
const machine = `${platform()}-${arch()}`;

function node(version: string): ProcessPlatform {
  return {
    kind: 'process',
    name: `node-${version.split('.')[0]}`,
    version,
    package: `node-${machine}`,
    program: 'bin/node',
    args: [],
  };
}

export const PLATFORMS: readonly Platform[] = [
  node('20.20.2'),
  node('22.23.5'),
  node('24.22.3'),
  node('26.12.1'),
  {
    kind: 'process',
    name: 'bun',
    version: '1.4.5',
    package: `@oven/bun-${machine.replace('arm64', 'aarch64')}`,
    program: 'bin/bun',
    // Else it hands Vitest to the Node that its first line asks for.
    args: ['--bun'],
  },
  {
    kind: 'process',
    name: 'deno',
    version: '2.9.6',
    package: `@deno/${machine}${platform() === 'linux' ? '-glibc' : ''}`,
    program: 'deno',
    args: ['run', '-A', '--node-modules-dir=manual'],
  },
  { kind: 'browser', name: 'chromium' },
];
