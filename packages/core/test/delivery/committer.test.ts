import { describe, expect, it } from 'vitest';
import { Committer } from '../../src/delivery/committer.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

interface Pending {
  readonly positions: ReadonlyMap<string, unknown>;
  done(): void;
  fail(error: unknown): void;
}

/** A committer over a book, with commits that are settled by hand. */
function setUp(policy: { items: number; ms: number }, mode: 'held' | 'sync' = 'held') {
  const commits: Pending[] = [];
  const failures: unknown[] = [];
  const book = new LaneBook((items) => committer.moved(items));
  const committer: Committer = new Committer(
    policy,
    book,
    (positions) => {
      if (mode === 'sync') {
        commits.push({ positions, done: () => {}, fail: () => {} });
        return undefined;
      }
      return new Promise<void>((resolve, reject) => {
        commits.push({ positions, done: resolve, fail: reject });
      });
    },
    (error) => failures.push(error),
  );
  let next = 0;
  return {
    book,
    committer,
    commits,
    failures,
    settle: (items: number): void => {
      next += items;
      book.issue('', next, items).settle();
    },
    committed: (): unknown[] => commits.map(({ positions }) => positions.get('')),
  };
}

describe('Committer', () => {
  it('commits when so many items became done', () => {
    const { settle, committed, committer } = setUp({ items: 10, ms: 1000 }, 'sync');
    settle(6);
    expect(committed()).toEqual([]);
    settle(4);
    expect(committed()).toEqual([10]);
    settle(10);
    expect(committed()).toEqual([10, 20]);
    committer.stop();
  });

  // The timer that was set for what that commit held goes off so long before the time.
  it.each([1, 700])('counts the time from the first item behind a commit by count: %i ms', async (ms) => {
    const { settle, committed, committer } = setUp({ items: 10, ms: 1000 }, 'sync');
    settle(6);
    await time().advance(ms - 1);
    settle(4);
    await time().advance(1);
    settle(1);
    expect(committed()).toEqual([10]);
    await time().advance(999);
    expect(committed()).toEqual([10]);
    await time().advance(1);
    expect(committed()).toEqual([10, 11]);
    committer.stop();
  });

  it('counts the time of what moved while a commit was under way from when it did', async () => {
    const { settle, committed, commits, committer } = setUp({ items: 10, ms: 1000 });
    settle(10);
    settle(1);
    await time().advance(600);
    commits[0]?.done();
    await time().advance(399);
    expect(committed()).toEqual([10]);
    await time().advance(1);
    expect(committed()).toEqual([10, 11]);
    committer.stop();
    commits[1]?.done();
  });

  it('commits a position that moved over no item', async () => {
    const { settle, committed, book, committer } = setUp({ items: 10, ms: 1000 }, 'sync');
    settle(10);
    book.issue('', 11, 0).settle();
    await time().advance(1000);
    expect(committed()).toEqual([10, 11]);
    committer.stop();
  });

  it('commits so long after the first item became done, and not while nothing moves', async () => {
    const { settle, committed, committer } = setUp({ items: 100, ms: 1000 }, 'sync');
    settle(1);
    await time().advance(600);
    settle(1);
    expect(committed()).toEqual([]);
    await time().advance(400);
    expect(committed()).toEqual([2]);
    expect(time().activeTimers).toBe(0);
    await time().advance(10_000);
    expect(committed()).toEqual([2]);
    committer.stop();
  });

  it('runs one commit at a time, and then what moved meanwhile', async () => {
    const { settle, committed, commits } = setUp({ items: 1, ms: 1000 });
    settle(1);
    settle(1);
    settle(1);
    expect(committed()).toEqual([1]);
    commits[0]?.done();
    await time().settle();
    expect(committed()).toEqual([1, 3]);
    commits[1]?.done();
    await time().settle();
    expect(committed()).toEqual([1, 3]);
  });

  it('begins no commit beside another, also where its time comes meanwhile', async () => {
    const { settle, committed, commits, committer } = setUp({ items: 10, ms: 1000 });
    settle(6);
    settle(4);
    settle(1);
    await time().advance(1000);
    expect(committed()).toEqual([10]);
    commits[0]?.done();
    await time().settle();
    expect(committed()).toEqual([10, 11]);
    committer.stop();
    commits[1]?.done();
  });

  it('commits at once, behind the one under way, when just so many items became done meanwhile', async () => {
    const { settle, committed, commits } = setUp({ items: 2, ms: 1000 });
    settle(2);
    settle(2);
    commits[0]?.done();
    await time().settle();
    expect(committed()).toEqual([2, 4]);
    commits[1]?.done();
  });

  it('keeps to one timer, and takes it back, where it was set before a commit by count', async () => {
    const { settle, commits, committer } = setUp({ items: 10, ms: 1000 });
    settle(6);
    settle(4);
    settle(1);
    commits[0]?.done();
    await time().settle();
    expect(time().activeTimers).toBe(1);
    committer.stop();
    expect(time().activeTimers).toBe(0);
  });

  it('commits nothing where the only lane that moved was ended since', async () => {
    const { settle, commits, book } = setUp({ items: 10, ms: 1000 }, 'sync');
    settle(1);
    book.endLane('');
    await time().advance(1000);
    expect(commits).toEqual([]);
  });

  it('waits with the last commit for the one under way', async () => {
    const { settle, committed, commits, committer } = setUp({ items: 1, ms: 1000 });
    settle(1);
    settle(1);
    const last = committer.last();
    await time().settle();
    expect(committed()).toEqual([1]);
    commits[0]?.done();
    await time().settle();
    expect(committed()).toEqual([1, 2]);
    commits[1]?.done();
    await last;
  });

  it('does not commit at the end what did not move', async () => {
    const { settle, committed, committer } = setUp({ items: 1, ms: 1000 }, 'sync');
    settle(1);
    await committer.last();
    expect(committed()).toEqual([1]);
  });

  it('tells a failure, and tries what failed again with the last commit', async () => {
    const { settle, committed, commits, committer, failures } = setUp({ items: 1, ms: 1000 });
    const error = new Error('no');
    settle(1);
    commits[0]?.fail(error);
    await time().settle();
    expect(failures).toEqual([error]);
    const last = committer.last();
    await time().settle();
    expect(committed()).toEqual([1, 1]);
    commits[1]?.done();
    await last;
  });

  it('rejects the last commit with its failure', async () => {
    const { settle, commits, committer } = setUp({ items: 100, ms: 1000 });
    settle(1);
    const last = committer.last();
    await time().settle();
    const error = new Error('no');
    commits[0]?.fail(error);
    expect(await rejection(last)).toBe(error);
  });

  it('commits nothing by itself once it is stopped, and takes its timer back', async () => {
    const { settle, committed, committer } = setUp({ items: 2, ms: 1000 }, 'sync');
    settle(1);
    committer.stop();
    expect(time().activeTimers).toBe(0);
    settle(5);
    await time().advance(5000);
    expect(committed()).toEqual([]);
  });
});
