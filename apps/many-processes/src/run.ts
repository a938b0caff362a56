/** Starts the processes, gives them something to do through a topic, and proves what came of it. */

import { randomUUID } from 'node:crypto';
import { ConcurrentPipeline, from, type GracefulShutdown, range } from '@streamweld/core';
import { progress } from '@streamweld/observe/progress';
import type { Arguments } from './arguments.ts';
import { Crew, type Worker } from './crew.ts';
import { Ledger } from './ledger.ts';
import { buildDispatcher, CUSTOMERS, type Hub } from './pipeline.ts';
import { Topic } from './topic.ts';

/** Longer than a group takes to notice that a member is gone. */
const SILENCE_MS = 60_000;

/** @returns whether nothing was lost, nothing done twice where nobody was killed, and order kept where it is promised */
export async function run(
  args: Arguments,
  shutdown: GracefulShutdown,
  say: (line: string) => void,
): Promise<boolean> {
  const { brokers, rule, processes, items, kill, rounds } = args;
  const hub: Hub = {
    brokers,
    topic: `many-processes-${randomUUID()}`,
    partitions: Math.max(8, 2 * processes),
  };
  await using _topic = await Topic.make(hub, shutdown.signal);
  const ledger = new Ledger(items, rule === 'broadcast' ? processes : 1);
  let told = 0;
  let silence: NodeJS.Timeout | undefined;
  let finish = (): void => {};
  let fail: (error: Error) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const crew = new Crew(
    { ...hub, rule, rounds },
    {
      onDone(number, ids, at) {
        ledger.note(number, ids, at);
        told += ids.length;
        if (kill && told > items / 3) killOne();
        // What never comes is told as lost, and not waited for without end.
        clearTimeout(silence);
        if (ledger.isComplete) finish();
        else silence = setTimeout(finish, SILENCE_MS);
      },
      onFailed: (error) => fail(error),
    },
  );
  let killed: Worker | undefined;
  const killOne = (): void => {
    if (killed !== undefined) return;
    [killed] = crew.workers as [Worker];
    killed.child.kill('SIGKILL');
    say(`process ${killed.number} was killed after ${whole(told)} items`);
  };
  /** @returns how many there are, and how long it took to do them, in milliseconds, from when all were there */
  const work = async (): Promise<{ written: number; ms: number }> => {
    await Promise.all(Array.from({ length: processes }, (_, at) => crew.start(at + 1)));
    const begun = performance.now();
    const feeding = new ConcurrentPipeline(
      from(range(0, items)).map((id) => ({ id, customer: id % CUSTOMERS })),
      buildDispatcher(hub, rule).createSink(),
    ).bufferSize(20_000);
    progress(feeding, { mode: args.progress, total: items, report: false });
    const { written } = await shutdown.run(feeding);
    // A Ctrl-C has made it less.
    ledger.cutTo(written);
    if (ledger.isComplete) finish();
    await finished;
    return { written, ms: performance.now() - begun };
  };
  say(
    `${rule}: ${whole(items)} items of ${whole(CUSTOMERS)} customers through ${hub.partitions} partitions, ${processes} processes`,
  );
  try {
    const stoppable = { drain: () => {}, abort: () => fail(new Error('Aborted.')) };
    const [{ written, ms }] = await shutdown.while(stoppable, () => Promise.all([work(), finished]));
    if (shutdown.isWanted) say(`stopped before the end, after ${whole(written)} items`);
    const wanted = written * ledger.shares;
    for (const { number } of crew.workers) {
      const count = ledger.counts.get(number) ?? 0;
      say(`  process ${number}   ${whole(count).padStart(11)} items   ${percent(count / wanted)}`);
    }
    const { lost, doubled, outOfOrder } = ledger.prove();
    const order = rule === 'partition' ? `, ${whole(outOfOrder)} out of order` : '';
    say(`${whole(lost)} lost, ${whole(doubled)} doubled${order}`);
    say(`${whole(Math.round((wanted / ms) * 1000))} items/s, ${(ms / 1000).toFixed(1)} s`);
    const isOrdered = rule !== 'partition' || outOfOrder === 0;
    return lost === 0 && (doubled === 0 || kill) && isOrdered;
  } catch (error) {
    await crew.abort();
    throw error;
  } finally {
    clearTimeout(silence);
    await crew.stop();
  }
}

function whole(value: number): string {
  return value.toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * (share || 0)).toFixed(0).padStart(3)} %`;
}
