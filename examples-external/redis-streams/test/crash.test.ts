/** A copy that is killed again and again, and a server that is killed below it: every entry is there once, in order. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freshStream, readBack, seed, type Service, startService } from './service.ts';

const COUNT = 5000;
const service = await startService();
const program = join(import.meta.dirname, 'crash/copy.js');

function copy(from: string, to: string): ChildProcess {
  return spawn(process.execPath, [program, service.url, from, to], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Until the copy has so many entries. */
async function grown(service: Service, stream: string, length: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && Number(await service.command('XLEN', stream)) < length) await sleep(1);
}

test('writes each entry once, where the process that copies is killed eight times', async (t) => {
  const [from, to] = [freshStream(), freshStream()];
  const items = await seed(service, from, 0, COUNT);
  let kills = 0;
  for (let time = 1; time <= 8; time += 1) {
    const child = copy(from, to);
    const exited = once(child, 'exit');
    await grown(service, to, (COUNT * time) / 12, child);
    if (child.kill('SIGKILL')) kills += 1;
    await exited;
    const there = Number(await service.command('XLEN', to));
    assert(there < COUNT, `${there} entries were there when it was killed: the kill came too late.`);
  }
  const [code] = (await once(copy(from, to), 'exit')) as [number];
  assert.equal(code, 0);
  assert.equal(kills, 8);
  assert.deepEqual(await readBack(service, to), items);
  t.diagnostic(`${kills} kills, ${items.length} entries, each once`);
});

test('writes each entry once, where the server is killed three times while it copies', async (t) => {
  if (!service.isOwn) return t.skip('REDIS_URL is not ours to kill');
  const [from, to] = [freshStream(), freshStream()];
  const items = await seed(service, from, 0, COUNT);
  const child = copy(from, to);
  const exited = once(child, 'exit');
  for (let time = 1; time <= 3; time += 1) {
    await grown(service, to, (COUNT * time) / 5, child);
    assert.equal(child.exitCode, null, 'The copy was over before the server was killed.');
    await service.kill();
    await service.restart();
  }
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
  assert.deepEqual(await readBack(service, to), items);
  return t.diagnostic(`3 kills of the server, ${items.length} entries, each once`);
});
