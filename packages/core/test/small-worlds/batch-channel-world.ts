/**
 * Every schedule of a small world of the channel inside a run: one task pushes, the other takes and releases.
 *
 *     cap3: push(2) take releaseOldest push(2) take(2) discard close
 *
 *     push(n)        a batch of n items, where there is room for it      discard(n)  up to n items are taken for good
 *     take(n)        up to n items of one batch, which are then held     clear       everything is taken out
 *     releaseOldest  what was taken first needs its room no more         close       no more is pushed
 *     releaseNewest  what was taken last, where more is held
 *
 * Where `reacts`, each side also acts from within its callback, as tasks do: the consumer takes two items when some come
 * and it holds none, the producer pushes one when room comes.
 */

import type { Batch } from '../../src/channel/batch-deque.ts';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import { ScheduleError, tryAll } from './schedules.ts';

export interface BatchWorld {
  readonly capacity: number;
  readonly operations: number;
  readonly offers: readonly string[];
  readonly reacts?: boolean;
  /** Another channel than ours: to see that a broken one is found. */
  readonly create?: (capacity: number) => BatchChannel<never>;
  /** Is told of each schedule. */
  readonly onSchedule?: (text: string) => void;
}

/** Runs all schedules of a world; answers how many. @throws ScheduleError for the first that goes wrong. */
export function exploreBatchChannel(world: BatchWorld): Promise<number> {
  return tryAll((chooser) => {
    const performance = new Performance(world);
    for (let at = 0; at < world.operations; at++) {
      const acts = world.offers.filter((offer) => performance.canDo(offer));
      const act = acts[chooser.choose(acts.length)];
      if (act === undefined) {
        chooser.skipRest();
        break;
      }
      performance.do(act);
    }
    world.onSchedule?.(performance.text);
    performance.end();
    return Promise.resolve();
  });
}

/** Runs one schedule from its text. @throws ScheduleError */
export function replayBatchChannel(text: string, create?: BatchWorld['create']): void {
  const match = /^cap(\d+)( reacts)?: (.*)$/.exec(text);
  if (match === null) throw new Error(`Not a schedule: ${text}`);
  const [, capacity, reacts, acts = ''] = match;
  const performance = new Performance({
    capacity: Number(capacity),
    reacts: reacts !== undefined,
    ...(create === undefined ? {} : { create }),
  });
  for (const act of acts.split(' ')) {
    if (!performance.canDo(act)) throw new Error(`'${act}' cannot be done there: ${text}`);
    performance.do(act);
  }
  performance.end();
}

/** A batch that notes where it was cut: front to back, and each piece only once. */
class Piece implements Batch {
  readonly items: readonly number[];
  readonly #onWrong: (what: string) => void;
  #cutTo = 0;

  constructor(items: readonly number[], onWrong: (what: string) => void) {
    this.items = items;
    this.#onWrong = onWrong;
  }

  cut(from: number, to: number): this {
    if (from !== this.#cutTo || to <= from || to > this.items.length)
      this.#onWrong(`[${this.items.join()}] was cut from ${from} to ${to}, after ${this.#cutTo}.`);
    this.#cutTo = to;
    return new Piece(this.items.slice(from, to), this.#onWrong) as this;
  }
}

class Performance {
  readonly #channel: BatchChannel<Piece>;
  readonly #reacts: boolean;
  /** What should be in it, batch by batch, and what should be held, with what is. */
  #queued: (readonly number[])[] = [];
  #held: Piece[] = [];
  #highWater = 0;
  #isClosed = false;
  #nextItem = 1;
  #itemsCalls = 0;
  #roomCalls = 0;
  #expectedItemsCalls = 0;
  #expectedRoomCalls = 0;
  text: string;

  constructor({ capacity, reacts, create }: Pick<BatchWorld, 'capacity' | 'reacts' | 'create'>) {
    this.#channel = (create?.(capacity) as BatchChannel<Piece> | undefined) ?? new BatchChannel(capacity);
    this.#reacts = reacts === true;
    this.text = `cap${capacity}${this.#reacts ? ' reacts' : ''}:`;
    this.#channel.onItems = () => {
      this.#itemsCalls += 1;
      if (this.#reacts && this.#held.length === 0 && this.#queued.length > 0) this.#take(2);
    };
    this.#channel.onRoom = () => {
      this.#roomCalls += 1;
      if (this.#reacts && !this.#isClosed && this.#room > 0) this.#push(1);
    };
  }

  get #room(): number {
    return this.#channel.capacity - this.#items - this.#heldItems;
  }

  get #items(): number {
    return this.#queued.reduce((sum, { length }) => sum + length, 0);
  }

  get #heldItems(): number {
    return this.#held.reduce((sum, { items }) => sum + items.length, 0);
  }

  canDo(act: string): boolean {
    const [verb, count] = parse(act);
    switch (verb) {
      case 'push':
        return !this.#isClosed && count <= this.#room;
      case 'releaseOldest':
        return this.#held.length > 0;
      case 'releaseNewest':
        return this.#held.length > 1;
      case 'take':
      case 'discard':
      case 'clear':
      case 'close':
        return true;
      default:
        throw new Error(`Not an operation: ${act}`);
    }
  }

  do(act: string): void {
    this.text += ` ${act}`;
    const [verb, count] = parse(act);
    const channel = this.#channel;
    switch (verb) {
      case 'push':
        this.#push(count);
        break;
      case 'take':
        this.#take(count);
        break;
      case 'discard':
        this.#expect(channel.discard(count)?.items, this.#shift(count));
        break;
      case 'releaseOldest':
        this.#release(this.#held.shift() as Piece);
        break;
      case 'releaseNewest':
        this.#release(this.#held.pop() as Piece);
        break;
      case 'clear': {
        const queued = this.#queued;
        this.#queued = [];
        const cleared = channel.clear();
        if (cleared.length !== queued.length) this.#fail(`${cleared.length} batches were taken out.`);
        for (const [at, { items }] of cleared.entries()) this.#expect(items, queued[at]);
        break;
      }
      case 'close':
        if (!this.#isClosed) this.#expectedItemsCalls += 1;
        this.#isClosed = true;
        channel.close();
        break;
    }
    this.#compare();
  }

  /** What is left comes out in order. */
  end(): void {
    while (this.#queued.length > 0) this.do('take(2)');
    while (this.#held.length > 0) {
      this.do('releaseOldest');
      if (this.#reacts) this.do('close');
      while (this.#queued.length > 0) this.do('take(2)');
    }
    if (this.#channel.room !== this.#channel.capacity)
      this.#fail(`At the end there is room for ${this.#channel.room}.`);
  }

  #push(count: number): void {
    const items = Array.from({ length: count }, () => this.#nextItem++);
    this.#queued.push(items);
    this.#expectedItemsCalls += 1;
    this.#highWater = Math.max(this.#highWater, this.#items + this.#heldItems);
    this.#channel.push(new Piece(items, (what) => this.#fail(what)));
  }

  #take(max: number): void {
    const expected = this.#shift(max);
    const batch = this.#channel.take(max);
    this.#expect(batch?.items, expected);
    if (batch !== undefined) this.#held.push(batch);
  }

  #release({ items }: Piece): void {
    this.#expectedRoomCalls += 1;
    this.#channel.release(items.length);
  }

  #shift(max: number): readonly number[] | undefined {
    const [first, ...others] = this.#queued;
    if (first === undefined) return undefined;
    this.#queued = first.length > max ? [first.slice(max), ...others] : others;
    return first.slice(0, max);
  }

  #expect(given: readonly number[] | undefined, expected: readonly number[] | undefined): void {
    if (given?.join() !== expected?.join())
      this.#fail(
        `[${given?.join() ?? 'nothing'}] came, and [${expected?.join() ?? 'nothing'}] was expected.`,
      );
  }

  #compare(): void {
    const { room, queued, held, highWater, isClosed, capacity } = this.#channel;
    const state = [room, queued, held, highWater, isClosed, this.#itemsCalls, this.#roomCalls];
    const expected = [
      this.#room,
      this.#items,
      this.#heldItems,
      this.#highWater,
      this.#isClosed,
      this.#expectedItemsCalls,
      this.#expectedRoomCalls,
    ];
    if (queued + held > capacity) this.#fail(`It has ${queued + held} items, more than it may.`);
    if (state.join() !== expected.join())
      this.#fail(
        `Room, queued, held, high water, closed, calls for items and for room are ${state.join()}; expected ${expected.join()}.`,
      );
  }

  #fail(what: string): never {
    throw new ScheduleError(this.text, what);
  }
}

function parse(act: string): readonly [verb: string, count: number] {
  const match = /^(\w+)(?:\((\d)\))?$/.exec(act);
  return [match?.[1] ?? act, Number(match?.[2] ?? 1)];
}
