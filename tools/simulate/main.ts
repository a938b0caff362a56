/**
 * Random pipelines and dispatchers with random faults, on virtual time: `pnpm simulate`.
 *
 *     --minutes N             plays new seeds for so long (default 1), on all cores
 *     --from N --count M      plays these seeds (default from: the clock's seconds, so that each call plays others)
 *     --seed N                plays one, and prints its topology and its trace
 *
 * Exits with 1 where a rule was broken, and says how to play that seed again.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describePlan } from '../../packages/core/test/simulation/plan.ts';
import { play } from '../../packages/core/test/simulation/play.ts';
import type { Harvest, Order } from './worker.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    count: { type: 'string' },
    workers: { type: 'string' },
  },
});

/** Seeds that a worker is given at once. */
const PORTION = 100;

if (values.seed !== undefined) await playOne(wholeNumber('seed', values.seed));
else await playMany();

async function playOne(seed: number): Promise<void> {
  const { plan, trace, breach, faults } = await play(seed, true);
  console.log(describePlan(plan));
  console.log(trace.join('\n'));
  console.log(`\nseed ${seed}: ${faults} faults, ${breach ?? 'no rule was broken'}`);
  if (breach !== undefined) process.exitCode = 1;
}

async function playMany(): Promise<void> {
  const from = wholeNumber('from', values.from ?? String(Math.floor(Date.now() / 1000)));
  const count = values.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('count', values.count);
  const minutes =
    values.count === undefined
      ? Number(values.minutes ?? 1)
      : Number(values.minutes ?? Number.POSITIVE_INFINITY);
  if (!(minutes > 0)) throw new RangeError('--minutes must be above 0.');
  const workers = wholeNumber('workers', values.workers ?? String(availableParallelism()));
  console.log(`from seed ${from}, on ${workers} processes`);
  const start = performance.now();
  const until = start + minutes * 60_000;
  const total = { topologies: 0, faults: 0, counts: new Map<string, number>(), breaches: 0 };
  let next = from;
  /** What a worker is to play; nothing, when it is over. */
  const order = (): Order | undefined => {
    const left = from + count - next;
    if (left <= 0 || performance.now() >= until) return undefined;
    const portion = { from: next, count: Math.min(PORTION, left) };
    next += portion.count;
    return portion;
  };
  await Promise.all(Array.from({ length: workers }, () => employ(order, (harvest) => add(total, harvest))));
  const seconds = (performance.now() - start) / 1000;
  for (const [name, times] of [...total.counts].toSorted(([a], [b]) => a.localeCompare(b))) {
    console.log(`${String(times).padStart(10)}  ${name}`);
  }
  console.log(
    `${total.topologies} topologies, ${total.faults} faults, ${total.breaches} violations, ` +
      `${seconds.toFixed(0)} s, ${(total.topologies / seconds).toFixed(0)} topologies a second`,
  );
  if (total.breaches > 0) process.exitCode = 1;
}

function add(
  total: { topologies: number; faults: number; counts: Map<string, number>; breaches: number },
  { topologies, faults, counts, breaches }: Harvest,
): void {
  total.topologies += topologies;
  total.faults += faults;
  total.breaches += breaches.length;
  for (const [name, times] of counts) total.counts.set(name, (total.counts.get(name) ?? 0) + times);
  for (const { seed, breach } of breaches) {
    console.log(`seed ${seed}: ${breach}\n  npx --yes pnpm@12 simulate --seed ${seed}`);
  }
}

/** A process of its own: the clock that is in force is one for a process. */
function employ(order: () => Order | undefined, harvested: (harvest: Harvest) => void): Promise<void> {
  const worker: ChildProcess = fork(path.join(import.meta.dirname, 'worker.ts'));
  return new Promise((resolve, reject) => {
    let isDone = false;
    const go = (): void => {
      const next = order();
      if (next !== undefined) {
        worker.send(next);
        return;
      }
      isDone = true;
      worker.disconnect();
    };
    worker.on('message', (harvest: Harvest) => {
      harvested(harvest);
      go();
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (isDone) resolve();
      else reject(new Error(`A process of the simulation ended with ${code}.`));
    });
    go();
  });
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0 && text !== '') return number;
  throw new RangeError(`--${name} must be a whole number, got '${text}'.`);
}
