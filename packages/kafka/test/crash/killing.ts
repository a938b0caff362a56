/** Kills a program, and the broker that it talks to, while records are in flight, until that was often enough. */

import type { Random } from '@streamweld/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../../../../tools/services/program.ts';
import { isInFlight, type Progress, progressOf, until } from './progress.ts';

/** What a run may end with whose broker died, or was not there yet. */
const AWAY = /SW_KAFKA_(UNREACHABLE|CONNECTION_LOST|BUSY|TIMEOUT|TRANSACTION_FAILED)/;

/** Of a run, before it is killed: that many records at the most. */
const FARTHEST = 6000;

/**
 * What becomes of a program whose broker was killed:
 *
 * - `goes on`: the broker comes back, and it reads and writes more
 * - `is killed with it`: while the broker is away
 * - `is killed after it`: while it looks for the broker that has come back
 */
const FATES = ['goes on', 'is killed with it', 'is killed after it'] as const;

interface Aims {
  readonly process: number;
  readonly broker: number;
}

/** Each of the kills was one while records were in flight, but for those that came early or late. */
export interface Kills {
  process: number;
  broker: number;
  /** How often the program went on by itself when its broker was back. */
  survived: number;
  /** Kills of the process while it joined, or had nothing in its hands; they are not counted as kills. */
  other: number;
  /** Runs that ended with an error, since the broker was away. */
  failed: number;
}

export interface Scene {
  readonly aims: Aims;
  readonly random: Random;
  readonly service: { crash(): Promise<void>; restart(): Promise<void> };
  start(): Run;
  /** Gives it more to do. */
  more(): Promise<void>;
}

/** Starts it again and again until there were so many kills, and then to its end. @throws Error where it fails by itself */
export async function kill({ aims, random, service, start, more }: Scene): Promise<Kills> {
  const kills: Kills = { process: 0, broker: 0, survived: 0, other: 0, failed: 0 };
  for (;;) {
    const isLast = kills.process >= aims.process && kills.broker >= aims.broker;
    const run = start();
    let atKill: Progress | undefined;
    if (!isLast) {
      // Evenly, and never all of them behind the last kill of the process.
      const isBrokerDue =
        kills.broker < aims.broker && kills.broker * aims.process <= kills.process * aims.broker;
      if (await advance(run, random)) {
        if (isBrokerDue && isInFlight(progressOf(run) as Progress)) {
          await service.crash();
          kills.broker += 1;
          const fate = FATES[(kills.broker - 1) % FATES.length];
          if (fate === 'is killed with it') await die(run);
          await service.restart();
          if (fate === 'goes on' && (await goesOn(run, random))) kills.survived += 1;
          if (fate === 'is killed after it') await sleep(random.next() * 2000);
        }
        atKill = progressOf(run);
      }
      await die(run);
    }
    const [code, signal] = await run.exited;
    if (signal === 'SIGKILL') {
      if (atKill !== undefined && isInFlight(atKill)) kills.process += 1;
      else kills.other += 1;
    } else if (code !== 0) {
      if (!AWAY.test(run.output())) throw new Error(`It failed by itself: ${run.output().slice(-4000)}`);
      kills.failed += 1;
    } else if (isLast) return kills;
    // It has come to the end before it was killed: there is more to be done.
    else await more();
  }
}

/** To some place between where it begins and the end; answers false where it has ended before. */
async function advance(run: Run, random: Random): Promise<boolean> {
  const begun = await until(run, isInFlight);
  if (begun === undefined) return false;
  const goal = begun.read + random.integer(0, Math.min(begun.left, FARTHEST));
  if ((await until(run, ({ read }) => read >= goal)) === undefined) return false;
  // Anywhere between two of the moments at which it tells how far it is.
  await sleep(random.next() * 20);
  return run.child.exitCode === null;
}

async function goesOn(run: Run, random: Random): Promise<boolean> {
  const before = progressOf(run)?.written ?? 0;
  return (await until(run, ({ written }) => written > before)) !== undefined && (await advance(run, random));
}

async function die(run: Run): Promise<void> {
  run.child.kill('SIGKILL');
  await run.exited;
}
