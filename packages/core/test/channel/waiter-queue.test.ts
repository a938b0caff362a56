import { describe, expect, it } from 'vitest';
import { Waiter, WaiterQueue } from '../../src/channel/waiter-queue.ts';

describe('WaiterQueue', () => {
  it('removes a waiter once, however often it is told to', () => {
    const queue = new WaiterQueue<string>();
    const [first, second] = ['first', 'second'].map((name) => new Waiter(name, () => {}));
    for (const waiter of [first, second]) queue.push(waiter as Waiter<string>, undefined);
    queue.remove(first as Waiter<string>);
    queue.remove(first as Waiter<string>);
    expect(queue.length).toBe(1);
    expect(queue.shift()).toBe(second);
    expect(queue.shift()).toBeUndefined();
  });
});
