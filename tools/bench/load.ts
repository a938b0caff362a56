/** What a load is, and who takes part in it. One file of loads/ is one load. */

import { Corpus } from './corpus.ts';
import type { Tally } from './sinks.ts';

/** One way to carry the items to the sinks: the integers 0 to `items` − 1, or what is in a file. */
export interface Contestant {
  readonly name: string;
  /** Carries them all; a tally for each sink is what is verified afterwards. */
  run(items: number, tallies: readonly Tally[]): Promise<void>;
  /** After each run, and not timed: tallies what it wrote. */
  check?(tallies: readonly Tally[]): void;
}

export interface Load {
  readonly name: string;
  readonly title: string;
  /** The first is StreamWeld's; the others are compared with it. */
  readonly contestants: readonly [Contestant, ...Contestant[]];
  /** How many times as fast as these contestants it is to be. */
  readonly aims: Readonly<Record<string, number>>;
  /** How many times as many items as were asked for make a run of it. Default 1. */
  readonly scale?: number;
  /** How many sinks there are. */
  readonly sinks: number;
  /** What of the integers is to come to which sink; `'shared'` where only their total is known; or the file that is read. */
  readonly expects: ((item: number, sink: number) => boolean) | 'shared' | Corpus;
  /** Runs of each contestant before those that count, where a run is too long for as many as usual. */
  readonly warmUps?: number;
}

/** What every sink was to get, as a tally; for `'shared'` a single one. */
export function expected(load: Load, items: number): Tally[] {
  const { expects, sinks } = load;
  if (expects instanceof Corpus) return [{ count: expects.lines, sum: expects.sum }];
  const tallies = Array.from({ length: expects === 'shared' ? 1 : sinks }, () => ({ count: 0, sum: 0 }));
  tallies.forEach((tally, sink) => {
    for (let item = 0; item < items; item++) {
      if (expects !== 'shared' && !expects(item, sink)) continue;
      tally.count += 1;
      tally.sum += item;
    }
  });
  return tallies;
}

/** @throws Error when a sink did not get what it was to get. */
export function verify(load: Load, contestant: Contestant, tallies: readonly Tally[], right: Tally[]): void {
  const got =
    load.expects === 'shared'
      ? [
          {
            count: tallies.reduce((total, { count }) => total + count, 0),
            sum: tallies.reduce((total, { sum }) => total + sum, 0),
          },
        ]
      : tallies;
  right.forEach(({ count, sum }, sink) => {
    const tally = got[sink];
    if (tally?.count === count && tally.sum === sum) return;
    throw new Error(
      `${load.name}: the sink ${sink} of '${contestant.name}' got ${tally?.count} items of the sum ${tally?.sum}, and not ${count} of the sum ${sum}.`,
    );
  });
}
