/**
 * The channel against a model that is simple enough to be seen to be right: four lists, and a loop that moves what can
 * be moved. After every single operation the two are compared as a whole: what is in it, who waits, who was answered
 * and with what.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Channel } from '../../src/channel/channel.ts';
import { listenersOf } from '../leak-check.ts';

type Operation =
  | { readonly kind: 'send'; readonly many: number }
  | { readonly kind: 'trySend'; readonly many: number }
  | { readonly kind: 'receive'; readonly max: number }
  | { readonly kind: 'tryReceive'; readonly max: number }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'close' }
  | { readonly kind: 'abort' };

type Outcome = 'pending' | 'sent' | 'end' | 'aborted' | 'cancelled' | `closed ${string}` | `got ${string}`;

interface ModelSender {
  readonly id: number;
  items: number[];
}

interface ModelReceiver {
  readonly id: number;
  readonly max: number;
}

class Model {
  readonly capacity: number;
  stored: number[] = [];
  senders: ModelSender[] = [];
  receivers: ModelReceiver[] = [];
  outcomes = new Map<number, Outcome>();
  state: 'open' | 'draining' | 'closed' | 'aborted' = 'open';

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  send(id: number, items: number[]): void {
    if (this.state === 'aborted') this.outcomes.set(id, 'aborted');
    else if (this.state !== 'open') this.outcomes.set(id, `closed ${items.join()}`);
    else {
      this.outcomes.set(id, 'pending');
      this.senders.push({ id, items });
      this.#move();
    }
  }

  trySend(items: number[]): number | 'closed' | 'aborted' {
    if (this.state === 'aborted') return 'aborted';
    if (this.state !== 'open') return 'closed';
    if (this.senders.length > 0) return 0;
    let sent = 0;
    for (const receiver of [...this.receivers]) {
      if (sent === items.length) break;
      const part = items.slice(sent, sent + receiver.max);
      this.#answer(receiver, part);
      sent += part.length;
    }
    const fit = items.slice(sent, sent + this.capacity - this.stored.length);
    this.stored.push(...fit);
    return sent + fit.length;
  }

  receive(id: number, max: number, got: readonly number[] | undefined): void {
    if (this.state === 'aborted') this.outcomes.set(id, 'aborted');
    else if (got !== undefined) {
      this.outcomes.set(id, `got ${got.join()}`);
      this.#remove(got);
    } else if (this.state !== 'open') this.outcomes.set(id, 'end');
    else {
      this.outcomes.set(id, 'pending');
      this.receivers.push({ id, max });
    }
  }

  /** The items that could be had now, in order: a receiver may be given fewer than there are, but never none. */
  get available(): number[] {
    return [...this.stored, ...this.senders.flatMap(({ items }) => items)];
  }

  tryReceive(got: readonly number[]): void {
    this.#remove(got);
  }

  cancel(id: number): void {
    if (this.outcomes.get(id) !== 'pending') return;
    this.outcomes.set(id, 'cancelled');
    this.senders = this.senders.filter((sender) => sender.id !== id);
    this.receivers = this.receivers.filter((receiver) => receiver.id !== id);
    this.#move();
  }

  close(): void {
    if (this.state !== 'open') return;
    this.state = 'draining';
    for (const { id, items } of this.senders) this.outcomes.set(id, `closed ${items.join()}`);
    this.senders = [];
    this.#end();
  }

  abort(): void {
    if (this.state === 'aborted' || this.state === 'closed') return;
    this.state = 'aborted';
    for (const { id } of [...this.senders, ...this.receivers]) this.outcomes.set(id, 'aborted');
    this.senders = [];
    this.receivers = [];
    this.stored = [];
  }

  #answer(receiver: ModelReceiver, items: readonly number[]): void {
    this.receivers.splice(this.receivers.indexOf(receiver), 1);
    this.outcomes.set(receiver.id, `got ${items.join()}`);
  }

  /** Items leave from the front, out of the store first. */
  #remove(got: readonly number[]): void {
    for (const item of got) {
      if (this.stored.length > 0) {
        if (this.stored.shift() !== item) throw new Error('out of order');
      } else {
        const [sender] = this.senders;
        if (sender?.items.shift() !== item) throw new Error('out of order');
        if (sender.items.length === 0) {
          this.outcomes.set(sender.id, 'sent');
          this.senders.shift();
        }
      }
    }
    this.#move();
  }

  #move(): void {
    for (let sender = this.senders[0]; sender !== undefined; sender = this.senders[0]) {
      for (const receiver of [...this.receivers]) {
        if (sender.items.length > 0) this.#answer(receiver, sender.items.splice(0, receiver.max));
      }
      this.stored.push(...sender.items.splice(0, this.capacity - this.stored.length));
      if (sender.items.length > 0) break;
      this.outcomes.set(sender.id, 'sent');
      this.senders.shift();
    }
    this.#end();
  }

  #end(): void {
    if (this.state !== 'draining' || this.stored.length > 0) return;
    this.state = 'closed';
    for (const { id } of this.receivers) this.outcomes.set(id, 'end');
    this.receivers = [];
  }
}

const ABORTED = new Error('aborted');
const CANCELLED = new Error('cancelled');

/** Runs the same operations on both, and compares them after each. */
async function compare(
  capacity: number,
  operations: readonly Operation[],
  between: 'settle' | 'at once',
): Promise<void> {
  const channel = new Channel<number>({ capacity });
  const model = new Model(capacity);
  const outcomes = new Map<number, Outcome>();
  const controllers = new Map<number, AbortController>();
  const sent: number[] = [];
  const got: number[] = [];
  let nextItem = 0;
  let nextId = 0;

  const watch = <R>(id: number, promise: Promise<R>, name: (value: R) => Outcome): void => {
    outcomes.set(id, 'pending');
    promise.then(
      (value) => outcomes.set(id, name(value)),
      (error: unknown) => {
        if (error === ABORTED) outcomes.set(id, 'aborted');
        else if (error === CANCELLED) outcomes.set(id, 'cancelled');
        else outcomes.set(id, `closed ${(error as { undelivered: number[] }).undelivered.join()}`);
      },
    );
  };

  const check = (): void => {
    expect(channel.size).toBe(model.stored.length);
    expect(channel.size).toBeLessThanOrEqual(capacity);
    expect(channel.state).toBe(model.state);
    expect(channel.waitingSenders).toBe(model.senders.length);
    expect(channel.waitingReceivers).toBe(model.receivers.length);
  };

  for (const operation of operations) {
    switch (operation.kind) {
      case 'send':
      case 'trySend': {
        const items = Array.from({ length: operation.many }, () => nextItem++);
        const [first = 0] = items;
        if (operation.kind === 'send') {
          const id = nextId++;
          const controller = new AbortController();
          controllers.set(id, controller);
          const { signal } = controller;
          const promise =
            items.length === 1 ? channel.send(first, { signal }) : channel.sendMany(items, { signal });
          watch(id, promise, () => 'sent');
          sent.push(...items);
          model.send(id, [...items]);
        } else {
          const expected = model.trySend([...items]);
          let answer: number | 'closed' | 'aborted';
          try {
            answer = items.length === 1 ? Number(channel.trySend(first)) : channel.trySendMany(items);
          } catch (error) {
            answer = error === ABORTED ? 'aborted' : 'closed';
          }
          expect(answer).toBe(expected);
          if (typeof answer === 'number') sent.push(...items.slice(0, answer));
        }
        break;
      }
      case 'receive': {
        const id = nextId++;
        const controller = new AbortController();
        controllers.set(id, controller);
        // How many of what is there come at once is the channel's to choose: at least one, in order, at most max.
        const available = model.state === 'aborted' ? [] : model.available;
        const before = channel.size + channel.waitingSenders;
        let items: readonly number[] | undefined;
        const promise = channel.receiveMany(operation.max, { signal: controller.signal });
        if (available.length > 0) {
          expect(before).toBeGreaterThan(0);
          items = await promise;
          expect(items?.length).toBeGreaterThan(0);
          expect(items?.length).toBeLessThanOrEqual(operation.max);
          expect(items).toEqual(available.slice(0, items?.length));
        }
        watch(id, promise, (value) => (value === undefined ? 'end' : `got ${value.join()}`));
        model.receive(id, operation.max, items);
        break;
      }
      case 'tryReceive': {
        if (model.state === 'aborted') {
          expect(() => channel.tryReceiveMany(operation.max)).toThrow(ABORTED);
          break;
        }
        const { available } = model;
        const items = channel.tryReceiveMany(operation.max);
        expect(items).toEqual(available.slice(0, items.length));
        expect(items.length).toBeLessThanOrEqual(operation.max);
        if (available.length > 0) expect(items.length).toBeGreaterThan(0);
        got.push(...items);
        model.tryReceive(items);
        break;
      }
      case 'cancel': {
        const controller = controllers.get(operation.which % Math.max(1, nextId));
        controller?.abort(CANCELLED);
        if (controller !== undefined) model.cancel(operation.which % nextId);
        break;
      }
      case 'close':
        channel.close();
        model.close();
        break;
      case 'abort':
        channel.abort(ABORTED);
        model.abort();
        break;
    }
    check();
    if (between === 'settle') {
      await new Promise((resolve) => setImmediate(resolve));
      expect(outcomes).toEqual(model.outcomes);
    }
  }

  const isAborted = channel.state === 'aborted';
  for (
    let items = isAborted ? [] : channel.tryReceiveMany(3);
    items.length > 0;
    items = channel.tryReceiveMany(3)
  ) {
    got.push(...items);
    model.tryReceive(items);
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(outcomes).toEqual(model.outcomes);
  for (const outcome of outcomes.values()) {
    if (outcome.startsWith('got ')) got.push(...outcome.slice(4).split(',').map(Number));
  }
  // Nothing twice, nothing that was not sent; and what a sender was told went in came out.
  expect(new Set(got).size).toBe(got.length);
  expect(got.every((item) => sent.includes(item))).toBe(true);
  if (!isAborted) {
    const handedBack = [...outcomes.values()].flatMap((outcome) =>
      outcome.startsWith('closed ') ? outcome.slice(7).split(',').map(Number) : [],
    );
    const isCancelled = [...outcomes.values()].includes('cancelled');
    if (!isCancelled) {
      expect([...got, ...handedBack].sort((a, b) => a - b)).toEqual(sent);
    }
  }
  for (const [id, { signal }] of controllers) {
    if (outcomes.get(id) !== 'pending') expect(listenersOf(signal)).toBe(0);
  }
}

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('send' as const), many: fc.integer({ min: 1, max: 7 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('trySend' as const), many: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('receive' as const), max: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('tryReceive' as const), max: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'abort' as const) }) },
);

describe('Channel, against a model', () => {
  it('does what the model does, with all settled between two operations', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5 }),
        fc.array(operation, { maxLength: 40 }),
        (capacity, operations) => compare(capacity, operations, 'settle'),
      ),
      { numRuns: 150 },
    );
  });

  it('does what the model does, with operations on top of each other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5 }),
        fc.array(operation, { maxLength: 60 }),
        (capacity, operations) => compare(capacity, operations, 'at once'),
      ),
      { numRuns: 400 },
    );
  });

  it('[fault 3] [fault 4] holds in every interleaving of up to 5 operations, and of 6 without close and abort', {
    timeout: 60_000,
  }, async () => {
    const small: readonly Operation[] = [
      { kind: 'send', many: 1 },
      { kind: 'send', many: 2 },
      { kind: 'receive', max: 1 },
      { kind: 'cancel', which: 0 },
      { kind: 'cancel', which: 1 },
      { kind: 'close' },
      { kind: 'abort' },
    ];
    let runs = 0;
    const every = async (
      capacity: number,
      choices: readonly Operation[],
      length: number,
      done: Operation[],
    ): Promise<void> => {
      if (done.length === length) {
        runs += 1;
        await quick(capacity, done);
        return;
      }
      for (const choice of choices) {
        done.push(choice);
        await every(capacity, choices, length, done);
        done.pop();
      }
    };
    for (const capacity of [0, 1]) {
      await every(capacity, small, 5, []);
      await every(capacity, small.slice(0, 5), 6, []);
    }
    expect(runs).toBe(2 * (7 ** 5 + 5 ** 6));
  });
});

/** As `compare`, but plain: some sixty thousand runs have no time for matchers. Throws what went wrong. */
async function quick(capacity: number, operations: readonly Operation[]): Promise<void> {
  const channel = new Channel<number>({ capacity });
  const controllers: AbortController[] = [];
  const ended: Outcome[] = [];
  const sends: number[][] = [];
  const promises: Promise<unknown>[] = [];
  let item = 0;
  const tell = (what: string): never => {
    throw new Error(`${what}, capacity ${capacity}: ${JSON.stringify(operations)}`);
  };
  for (const operation of operations) {
    const id = controllers.length;
    if (operation.kind === 'send' || operation.kind === 'receive') {
      const controller = new AbortController();
      controllers.push(controller);
      const { signal } = controller;
      sends[id] = [];
      let promise: Promise<unknown>;
      if (operation.kind === 'send') {
        const items = Array.from({ length: operation.many }, () => item++);
        sends[id] = items;
        promise = channel.sendMany(items, { signal });
      } else promise = channel.receiveMany(operation.max, { signal });
      promises.push(
        promise.then(
          (value) => {
            if (ended[id] !== undefined) tell('settled twice');
            if (operation.kind === 'send') ended[id] = 'sent';
            else ended[id] = value === undefined ? 'end' : `got ${(value as number[]).join()}`;
          },
          (error: unknown) => {
            if (ended[id] !== undefined) tell('settled twice');
            if (error === ABORTED) ended[id] = 'aborted';
            else if (error === CANCELLED) ended[id] = 'cancelled';
            else ended[id] = `closed ${(error as { undelivered: number[] }).undelivered.join()}`;
          },
        ),
      );
    } else if (operation.kind === 'cancel') controllers[operation.which]?.abort(CANCELLED);
    else if (operation.kind === 'close') channel.close();
    else channel.abort(ABORTED);
    if (channel.size > capacity) tell('over capacity');
  }
  const isAborted = channel.state === 'aborted';
  channel.close();
  const left: number[] = [];
  if (!isAborted)
    for (let some = channel.tryReceiveMany(9); some.length > 0; some = channel.tryReceiveMany(9))
      left.push(...some);
  await Promise.all(promises);
  const received = ended.flatMap((outcome) =>
    outcome.startsWith('got ') ? outcome.slice(4).split(',').map(Number) : [],
  );
  const out = [...received, ...left];
  for (let i = 1; i < out.length; i++)
    if ((out[i - 1] as number) >= (out[i] as number)) tell(`out of order: ${out.join()}`);
  for (const [id, outcome] of ended.entries()) {
    const items = sends[id] as number[];
    if (outcome === 'sent' && !isAborted && !items.every((one) => out.includes(one)))
      tell('an item that was sent is lost');
    if (outcome === 'cancelled' && items.length === 1 && out.includes(items[0] as number))
      tell('a cancelled item came');
    if (outcome.startsWith('closed ')) {
      const back = outcome.slice(7).split(',').map(Number);
      if (back.some((one) => out.includes(one))) tell('an item was handed back and delivered');
      if (!isAborted && !items.every((one) => back.includes(one) || out.includes(one)))
        tell('an item is lost');
    }
  }
}
