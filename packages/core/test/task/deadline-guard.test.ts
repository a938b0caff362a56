import { describe, expect, it } from 'vitest';
import { DeadlineGuard, GivenUp } from '../../src/task/deadline-guard.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

const never = (): Promise<void> => new Promise(() => {});

describe('DeadlineGuard.wait', () => {
  it('answers what the call answers, at once or later', async () => {
    const guard = new DeadlineGuard();
    expect(await guard.wait('a', () => 5)).toBe(5);
    expect(
      await time().run(
        guard.wait('b', () =>
          time()
            .sleep(10)
            .then(() => 6),
        ),
      ),
    ).toBe(6);
    expect(guard.stuck).toEqual([]);
  });

  it('rejects with what the call threw or rejected with', async () => {
    const guard = new DeadlineGuard();
    const error = new Error('no');
    const throws = guard.wait('a', () => {
      throw error;
    });
    expect(await rejection(throws)).toBe(error);
    expect(await rejection(guard.wait('b', () => Promise.reject(error)))).toBe(error);
  });

  it('waits without end where no deadline is set', async () => {
    const guard = new DeadlineGuard();
    const slow = guard.wait('a', () => time().sleep(1_000_000));
    await time().run(slow);
    expect(time().elapsed).toBe(1_000_000);
  });

  it('is given up at a deadline that is set while it waits, and named', async () => {
    const guard = new DeadlineGuard();
    const waits = [guard.wait('closing', never), guard.wait('flushing', never)].map(rejection);
    await time().advance(100);
    guard.setDeadline(50);
    const [first] = await time().run(Promise.all(waits));
    expect(first).toBeInstanceOf(GivenUp);
    expect(first).toMatchObject({ what: 'closing' });
    expect(time().elapsed).toBe(150);
    expect(guard.stuck).toEqual(['closing', 'flushing']);
  });

  it('leaves what answers in time alone, and a late rejection is nobody’s', async () => {
    const guard = new DeadlineGuard();
    guard.setDeadline(50);
    const inTime = guard.wait('quick', () => time().sleep(49));
    const late = rejection(
      guard.wait('late', async () => {
        await time().sleep(60);
        throw new Error('late');
      }),
    );
    await time().run(inTime);
    expect(await time().run(late)).toBeInstanceOf(GivenUp);
    await time().advance(60);
    expect(guard.stuck).toEqual(['late']);
  });

  it('after the deadline still makes its call, takes a prompt answer, and gives up the rest', async () => {
    const guard = new DeadlineGuard();
    guard.setDeadline(10);
    await time().advance(10);
    let calls = 0;
    const prompt = guard.wait('prompt', async () => {
      calls += 1;
      await Promise.resolve();
      return 7;
    });
    expect(await time().run(prompt)).toBe(7);
    const stuck = guard.wait('stuck', () => {
      calls += 1;
      return never();
    });
    expect(await time().run(rejection(stuck))).toBeInstanceOf(GivenUp);
    expect([calls, guard.stuck]).toEqual([2, ['stuck']]);
    guard.clear();
  });
});

describe('DeadlineGuard.setDeadline', () => {
  it('forgets the deadline set before', async () => {
    const guard = new DeadlineGuard();
    const wait = rejection(guard.wait('a', never));
    guard.setDeadline(10);
    await time().advance(5);
    guard.setDeadline(100);
    await time().advance(99);
    expect(guard.stuck).toEqual([]);
    await time().run(wait);
    expect(time().elapsed).toBe(105);
  });
});

describe('DeadlineGuard.clear', () => {
  it('takes the timer back', () => {
    const guard = new DeadlineGuard();
    guard.setDeadline(10);
    guard.clear();
    guard.clear();
    expect(time().activeTimers).toBe(0);
  });
});
