/** FileCheckpointStore between processes: one has a name, and whoever had it before is refused. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { FileCheckpointStore } from '@streamweld/file';
import { afterEach, describe, expect, test } from 'vitest';
import { testFolder } from './driving.ts';

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A process that saves until it is refused. */
class Saver {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  stderr = '';
  #look: () => void = () => {};

  constructor(folder: string, who: string) {
    const script = join(import.meta.dirname, 'children/save-checkpoints.ts');
    const child = spawn(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', 'tsx', script, folder, who],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    running.push(child);
    this.child = child;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
      this.#look();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    child.on('close', () => this.#look());
  }

  /** Resolves when so many lines have been said. */
  async says(lines: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.lines.length >= lines || this.child.exitCode !== null) resolve();
      };
      this.#look();
    });
    expect(this.lines.length, this.stderr).toBeGreaterThanOrEqual(lines);
  }

  async ends(): Promise<string | undefined> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return this.lines.at(-1);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || !this.child.kill('SIGKILL')) return;
    await once(this.child, 'close');
  }
}

describe.skipIf(process.platform === 'win32')('FileCheckpointStore between processes', () => {
  test('C4 refuses a process that was stopped while its twin took over', async () => {
    const folder = testFolder();
    const store = new FileCheckpointStore(folder);
    let holder = new Saver(folder, '0');
    for (const [round, who] of ['1', '2', '3'].entries()) {
      // Stopped wherever it is: in the middle of a save, mostly.
      await holder.says(5 + 4 * round);
      holder.child.kill('SIGSTOP');
      const twin = new Saver(folder, who);
      await twin.says(4);
      holder.child.kill('SIGCONT');
      expect(await holder.ends(), holder.stderr).toBe('SW_CHECKPOINT_FENCED');
      // Nothing of what it tried since is there, and the twin goes on.
      expect((await store.load('orders'))?.get('lane')).toMatchObject({ who });
      await twin.says(twin.lines.length + 3);
      expect(twin.lines.slice(1).every((line) => line.startsWith('saved '))).toBe(true);
      holder = twin;
    }
    await holder.kill();
    const lane = (await store.load('orders'))?.get('lane') as { who: string; number: number };
    expect(lane.who).toBe('3');
    // What it had said is there; the one it was about to say may be.
    const said = Number(holder.lines.at(-1)?.split(' ')[1]);
    expect([said, said + 1, said + 2]).toContain(lane.number);
  });

  test('C4 lets one of two that come at once go on, and refuses the other', async () => {
    const folder = testFolder();
    const savers = ['a', 'b'].map((who) => new Saver(folder, who));
    const loser = await Promise.any(
      savers.map(async (saver) => {
        expect(await saver.ends()).toBe('SW_CHECKPOINT_FENCED');
        return saver;
      }),
    );
    const winner = savers.find((saver) => saver !== loser) as Saver;
    await winner.says(winner.lines.length + 3);
    expect(winner.lines).not.toContain('SW_CHECKPOINT_FENCED');
    await winner.kill();
  });
});
