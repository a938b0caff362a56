import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { Committer } from '../../src/delivery/committer.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../virtual-clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** A lane whose batches are done as soon as they come. */
function setUp(commit: (position: unknown) => void | Promise<void>): {
  readonly committer: Committer;
  readonly done: (position: number, items: number) => void;
  readonly failures: unknown[];
} {
  const failures: unknown[] = [];
  const lanes: LaneBook = new LaneBook((items) => committer.moved(items));
  const committer: Committer = new Committer(
    { items: 10, ms: 1000 },
    lanes,
    (positions) => commit(positions.get('')),
    (error) => void failures.push(error),
  );
  return { committer, failures, done: (position, items) => lanes.issue('', position, items).settle() };
}

describe('Committer', () => {
  it('commits by count and by time, whichever comes first', async () => {
    const commits: unknown[] = [];
    const { committer, done } = setUp((position) => void commits.push(position));
    done(10, 10);
    expect(commits).toEqual([10]);
    done(11, 1);
    await time().advance(999);
    expect(commits).toEqual([10]);
    await time().advance(1);
    expect(commits).toEqual([10, 11]);
    await committer.last();
    expect(commits).toEqual([10, 11]);
  });

  it('has one commit at a time, and takes with the next what moved meanwhile', async () => {
    const commits: unknown[] = [];
    const running: Deferred[] = [];
    const { committer, done } = setUp((position) => {
      commits.push(position);
      running.push(new Deferred());
      return running.at(-1)?.promise;
    });
    done(10, 10);
    done(20, 10);
    done(30, 10);
    expect(commits).toEqual([10]);
    running[0]?.resolve();
    await time().settle();
    expect(commits).toEqual([10, 30]);
    done(31, 1);
    const last = committer.last();
    await time().settle();
    expect(commits).toEqual([10, 30]);
    running[1]?.resolve();
    await time().settle();
    expect(commits).toEqual([10, 30, 31]);
    running[2]?.resolve();
    await last;
  });

  it.each(['at once', 'later'])(
    'tells of a commit that fails %s, and tries again at the end',
    async (when) => {
      const cause = new Error('store gone');
      let isBroken = true;
      const commits: unknown[] = [];
      const { committer, done, failures } = setUp((position) => {
        if (isBroken && when === 'at once') throw cause;
        if (isBroken) return Promise.reject(cause);
        commits.push(position);
      });
      done(10, 10);
      await time().settle();
      expect(failures).toEqual([cause]);
      isBroken = false;
      await committer.last();
      expect(commits).toEqual([10]);
    },
  );

  it('rejects with a last commit that fails', async () => {
    const cause = new Error('store gone');
    const { committer, done } = setUp(() => Promise.reject(cause));
    done(1, 1);
    expect(await rejection(committer.last())).toBe(cause);
  });

  it('commits nothing by itself once it is stopped', async () => {
    const commits: unknown[] = [];
    const { committer, done } = setUp((position) => void commits.push(position));
    done(1, 1);
    committer.stop();
    done(20, 19);
    await time().advance(5000);
    expect(commits).toEqual([]);
    await committer.last();
    expect(commits).toEqual([20]);
  });
});
