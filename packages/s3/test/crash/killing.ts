/** Kills a program, and the store that it writes to, while items are in flight, until that was often enough. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@streamweld/testing';
import type { Run } from '../../../../tools/services/program.ts';

/** What a run may end with whose store died, or was not there yet. */
const AWAY = /SW_S3_(UNREACHABLE|CONNECTION_LOST|BUSY)/;

/** Of a run, before it is killed: that many items at the most. */
const FARTHEST = 2500;
const STILL_MS = 60_000;

/** What becomes of a program whose store was killed. */
const FATES = ['goes on', 'is killed with it', 'is killed after it'] as const;

interface Aims {
  readonly process: number;
  readonly server: number;
}

export interface Kills {
  /** While it was at work. */
  process: number;
  server: number;
  /** How often the program went on by itself when its store was back. */
  survived: number;
  /** Of the process, while it began, or was done. */
  other: number;
}

interface Scene {
  readonly aims: Aims;
  readonly random: Random;
  readonly service: { crash(): Promise<void>; restart(): Promise<void> };
  start(): Run;
  /** Gives it more to do. */
  more(): void | Promise<void>;
  /** A look at what there is: of a run that is at work, and of one that was killed. */
  look(): Promise<void>;
}

interface Progress {
  readonly read: number;
  readonly written: number;
  readonly left: number;
}

/** Starts it again and again until there were so many kills, and then to its end. @throws Error where it fails by itself */
export async function kill({ aims, random, service, start, more, look }: Scene): Promise<Kills> {
  const kills: Kills = { process: 0, server: 0, survived: 0, other: 0 };
  for (;;) {
    const isLast = kills.process >= aims.process && kills.server >= aims.server;
    const run = start();
    let isAtWork = false;
    if (!isLast) {
      const isServerDue =
        kills.server < aims.server && kills.server * aims.process <= kills.process * aims.server;
      isAtWork = await advance(run, random);
      if (isAtWork && isServerDue) {
        await service.crash();
        kills.server += 1;
        const fate = FATES[(kills.server - 1) % FATES.length];
        if (fate === 'is killed with it') await die(run);
        await service.restart();
        if (fate === 'goes on' && (await advance(run, random))) kills.survived += 1;
        if (fate === 'is killed after it') await sleep(random.next() * 500);
      } else if (isAtWork && random.next() < 0.3) await look();
      await die(run);
    }
    const [code, signal] = await run.exited;
    if (signal === 'SIGKILL') {
      if (isAtWork) kills.process += 1;
      else kills.other += 1;
    } else if (code !== 0 && !AWAY.test(run.output())) {
      throw new Error(`It failed by itself: ${run.output().slice(-4000)}`);
    } else if (code === 0 && isLast) return kills;
    else if (code === 0) await more();
    await look();
  }
}

/** To some place between where it begins and the end; answers false where it has ended before. */
async function advance(run: Run, random: Random): Promise<boolean> {
  const begun = await until(run, ({ written, left }) => written > 0 && left > 0);
  if (begun === undefined) return false;
  const goal = begun.read + random.integer(0, Math.min(begun.left, FARTHEST));
  if ((await until(run, ({ read }) => read >= goal)) === undefined) return false;
  // Anywhere between two of the moments at which it tells how far it is.
  await sleep(random.next() * 30);
  return run.child.exitCode === null;
}

async function die(run: Run): Promise<void> {
  run.child.kill('SIGKILL');
  await run.exited;
}

function progressOf(run: Run): Progress | undefined {
  const last = run
    .output()
    .match(/read \d+, written \d+, left \d+\n/g)
    ?.at(-1);
  const [read, written, left] = last?.match(/\d+/g)?.map(Number) ?? [];
  return read === undefined || written === undefined || left === undefined
    ? undefined
    : { read, written, left };
}

/** Answers undefined where it has ended before. @throws Error where it stands still */
function until(run: Run, isThere: (progress: Progress) => boolean): Promise<Progress | undefined> {
  return new Promise((resolve, reject) => {
    const over = (progress: Progress | undefined): void => {
      clearTimeout(timer);
      run.child.stdout?.off('data', look);
      resolve(progress);
    };
    const look = (): void => {
      const progress = progressOf(run);
      if (progress !== undefined && isThere(progress)) over(progress);
    };
    const timer = setTimeout(() => {
      // The first of the two counts.
      reject(new Error(`It stands still: ${run.output().slice(-2000)}`));
      over(undefined);
    }, STILL_MS);
    run.child.stdout?.on('data', look);
    void run.exited.then(() => over(undefined));
    look();
  });
}
