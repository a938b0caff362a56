/**
 * Every schedule of a small world of a channel: who performs what next, and whether anybody learnt of an answer between
 * two operations.
 *
 *     cap1 wait: p0.send(2) ~ c0.receive | cancel p0 | c1.tryReceive || close
 *                           │            └ promises have told what they were answered
 *                           └ in the same turn
 *
 * `sendAborted` and `receiveAborted` come with a signal that is aborted already; `cancel all` is of a world where all
 * operations have one signal.
 *
 * An actor that waits for an answer does nothing else until it has learnt of it. Any actor of a kind is like any other,
 * since a channel does not know who calls: the next operation is always that of the first who is free. Where nobody has
 * anything to learn, a turn more or less is the same world, and is not tried twice. A schedule ends early where the
 * channel is closed or aborted: what follows one more operation of each kind then changes nothing.
 */

import { Channel, type ChannelOptions, type Overflow, SendError } from '../../src/channel/channel.ts';
import { ChannelModel, type Outcome } from './channel-model.ts';
import { ScheduleError } from './schedules.ts';

const KINDS = [
  'send',
  'sendAborted',
  'trySend',
  'trySendMany',
  'receive',
  'receiveAborted',
  'receiveMany',
  'tryReceive',
  'tryReceiveMany',
] as const;
type Kind = (typeof KINDS)[number];

/** `send(2)`: what a world offers its actors. */
interface Offer {
  readonly kind: Kind | 'close' | 'abort' | 'cancel';
  readonly count: number;
}

/** An operation of a schedule. */
interface Act extends Offer {
  /** `p0`, `p1`, `p2`, `c0`, `c1`, `c2`; of a cancellation, whose last operation it is of. -1: of nobody, or of all. */
  readonly actor: number;
  /** Promises have told before it. */
  readonly isLater: boolean;
}

export interface World {
  readonly capacity: number;
  readonly overflow: Overflow;
  readonly producers: number;
  readonly consumers: number;
  /** Operations of one schedule, cancellations apart. */
  readonly operations: number;
  readonly cancellations: number;
  /** Such as `send`, `send(2)`, `receiveMany(2)`, `close`. */
  readonly offers: readonly string[];
  /** How the rest is brought to its end, after the schedule. */
  readonly endings: readonly ('close' | 'abort')[];
  /** Signals are AbortSignals; else a light one in their place, which counts who listens. */
  readonly hasRealSignals?: boolean;
  /** All operations have one signal, and a cancellation is of all of them. */
  readonly sharesSignal?: boolean;
  /** Another channel than ours: to see that a broken one is found. */
  readonly create?: (options: ChannelOptions<number>) => Channel<number>;
  /** Is told of each schedule. */
  readonly onSchedule?: (text: string) => void;
}

/** What of a world a single schedule needs to know. */
type Stage = Pick<World, 'hasRealSignals' | 'sharesSignal' | 'create'>;

const ABORTED = new Error('aborted');
const CANCELLED = new Error('cancelled');
const ACTORS = ['p0', 'p1', 'p2', 'c0', 'c1', 'c2'] as const;
const FIRST_CONSUMER = 3;

/** What stands after an operation: the model is the truth, what was answered at once is the answer. */
interface Stand {
  readonly act: Act | undefined;
  readonly model: ChannelModel;
  readonly answer: unknown;
  /** Of each actor its last operation that has an outcome, or -1. */
  readonly last: readonly number[];
  /** Of each operation whether its outcome was learnt. */
  readonly isLearnt: readonly boolean[];
  /** Of each operation whether its signal is aborted. */
  readonly isCancelled: readonly boolean[];
  readonly isAllCancelled: boolean;
  readonly nextItem: number;
  readonly operations: number;
  readonly cancellations: number;
}

/** Runs all schedules of a world; answers how many. @throws ScheduleError for the first that goes wrong. */
export async function exploreChannel(world: World): Promise<number> {
  const offers = world.offers.map(parseOffer);
  const path: Stand[] = [firstStand(world)];
  let schedules = 0;
  const visit = async (): Promise<void> => {
    const acts = nextActs(world, path.at(-1) as Stand, offers);
    if (acts.length === 0) {
      for (const ending of world.endings) {
        schedules += 1;
        world.onSchedule?.(describePath(path, ending));
        await perform(path, ending, world);
      }
      return;
    }
    for (const act of acts) {
      path.push(stand(path.at(-1) as Stand, act));
      await visit();
      path.pop();
    }
  };
  await visit();
  return schedules;
}

/** Runs one schedule from its text. @throws ScheduleError */
export async function replayChannel(text: string, create?: World['create']): Promise<void> {
  const match = /^cap(\d+) (\w+): (.*?) \|\| (close|abort)$/.exec(text.trim());
  if (match === null) throw new Error(`Not a schedule: ${text}`);
  const [, capacity, overflow, steps = '', ending] = match;
  const path: Stand[] = [firstStand({ capacity: Number(capacity), overflow: overflow as Overflow })];
  let isLater = false;
  for (const word of steps.split(/ ([~|]) /)) {
    if (word === '~' || word === '|') isLater = word === '|';
    else path.push(stand(path.at(-1) as Stand, parseAct(word, isLater)));
  }
  const sharesSignal = path.some(({ act }) => act?.kind === 'cancel' && act.actor < 0);
  for (const hasRealSignals of [false, true])
    await perform(path, ending as 'close' | 'abort', {
      hasRealSignals,
      sharesSignal,
      ...(create === undefined ? {} : { create }),
    });
}

function parseOffer(text: string): Offer {
  const match = /^(\w+)(?:\((\d)\))?$/.exec(text);
  const kind = match?.[1] as Offer['kind'] | undefined;
  if (kind === undefined || ![...KINDS, 'close', 'abort'].includes(kind))
    throw new Error(`Not an operation: ${text}`);
  return { kind, count: Number(match?.[2] ?? 1) };
}

function parseAct(text: string, isLater: boolean): Act {
  if (text === 'close' || text === 'abort') return { kind: text, count: 1, actor: -1, isLater };
  if (text === 'cancel all') return { kind: 'cancel', count: 1, actor: -1, isLater };
  const cancel = /^cancel (\w\d)$/.exec(text);
  const [who = '', what = ''] = text.split('.');
  const actor = (ACTORS as readonly string[]).indexOf(cancel?.[1] ?? who);
  if (actor < 0) throw new Error(`Nobody is called so: ${text}`);
  return cancel === null
    ? { ...parseOffer(what), actor, isLater }
    : { kind: 'cancel', count: 1, actor, isLater };
}

function describeAct({ kind, count, actor }: Act): string {
  if (actor < 0) return kind === 'cancel' ? 'cancel all' : kind;
  if (kind === 'cancel') return `cancel ${ACTORS[actor]}`;
  return `${ACTORS[actor]}.${kind}${count === 1 ? '' : `(${count})`}`;
}

function describePath(path: readonly Stand[], ending: string): string {
  const [{ model }] = path as readonly [Stand];
  const words = path.flatMap(({ act }, at) =>
    act === undefined ? [] : [at === 1 ? '' : act.isLater ? ' | ' : ' ~ ', describeAct(act)],
  );
  return `cap${model.capacity} ${model.overflow}: ${words.join('')} || ${ending}`;
}

function firstStand({ capacity, overflow }: Pick<World, 'capacity' | 'overflow'>): Stand {
  return {
    act: undefined,
    model: new ChannelModel(capacity, overflow),
    answer: undefined,
    last: ACTORS.map(() => -1),
    isLearnt: [],
    isCancelled: [],
    isAllCancelled: false,
    nextItem: 1,
    operations: 0,
    cancellations: 0,
  };
}

/** What may come next. */
function nextActs(world: World, at: Stand, offers: readonly Offer[]): Act[] {
  const { model } = at;
  const isOver = model.state === 'closed' || model.state === 'aborted';
  const acts: Act[] = [];
  const hasNews = model.outcomes.some((outcome, i) => outcome !== '' && at.isLearnt[i] !== true);
  for (const isLater of hasNews ? [false, true] : [false]) {
    const isFree = (actor: number): boolean => {
      const operation = at.last[actor] as number;
      if (operation < 0 || at.isLearnt[operation] === true) return true;
      return isLater && model.outcomes[operation] !== '';
    };
    if (at.operations < world.operations && !(isOver && wasOver(at))) {
      for (const offer of offers) {
        if (offer.kind === 'close' || offer.kind === 'abort') acts.push({ ...offer, actor: -1, isLater });
        else {
          const isProducer = offer.kind.startsWith('send') || offer.kind.startsWith('trySend');
          const first = isProducer ? 0 : FIRST_CONSUMER;
          const count = isProducer ? world.producers : world.consumers;
          for (let actor = first; actor < first + count; actor++) {
            if (!isFree(actor)) continue;
            acts.push({ ...offer, actor, isLater });
            break;
          }
        }
      }
    }
    if (at.cancellations < world.cancellations && world.sharesSignal === true) {
      acts.push({ kind: 'cancel', count: 1, actor: -1, isLater });
    } else if (at.cancellations < world.cancellations) {
      for (const [actor, operation] of at.last.entries()) {
        // One that was learnt of long ago is tried as well: its signal must be as good as never given.
        if (operation >= 0 && at.isCancelled[operation] !== true)
          acts.push({ kind: 'cancel', count: 1, actor, isLater });
      }
    }
  }
  return acts;
}

/** The operation before the last had already found it over: one of each kind after that has been tried. */
function wasOver({ act, model, answer }: Stand): boolean {
  if (act === undefined || act.kind === 'close' || act.kind === 'abort') return false;
  const outcome = model.outcomes.at(-1);
  return answer === 'closed' || answer === 'aborted' || outcome === 'end' || outcome === 'aborted';
}

/** What stands after the act. */
function stand(before: Stand, act: Act): Stand {
  const model = before.model.copy();
  const last = before.last.slice();
  const isLearnt = act.isLater
    ? before.model.outcomes.map((outcome) => outcome !== '')
    : before.isLearnt.slice();
  const isCancelled = before.isCancelled.slice();
  const operation = model.outcomes.length;
  const { kind, count, actor } = act;
  let { nextItem } = before;
  let answer: unknown;
  const items = kind.startsWith('send') || kind.startsWith('trySend') ? numbers(nextItem, count) : [];
  nextItem += items.length;
  const isAllCancelled = before.isAllCancelled || (kind === 'cancel' && actor < 0);
  switch (before.isAllCancelled && (kind === 'send' || kind.startsWith('receive')) ? 'sendAborted' : kind) {
    case 'send':
      model.send(operation, items, count === 1);
      break;
    case 'sendAborted':
    case 'receiveAborted':
      model.outcomes[operation] = 'cancelled';
      break;
    case 'trySend':
    case 'trySendMany':
      answer = model.trySend(items, kind === 'trySend');
      break;
    case 'receive':
    case 'receiveMany':
      model.receive(operation, count);
      break;
    case 'tryReceive':
    case 'tryReceiveMany': {
      const got = model.tryReceive(count);
      answer = got === 'aborted' ? got : got.join();
      break;
    }
    case 'cancel':
      for (let each = 0; each < operation; each++) {
        if (actor >= 0 && each !== before.last[actor]) continue;
        isCancelled[each] = true;
        model.cancel(each);
      }
      break;
    case 'close':
      model.close();
      break;
    case 'abort':
      model.abort();
      break;
  }
  if (model.outcomes.length > operation) last[actor] = operation;
  return {
    act,
    model,
    answer,
    last,
    isLearnt,
    isCancelled,
    isAllCancelled,
    nextItem,
    operations: before.operations + (kind === 'cancel' ? 0 : 1),
    cancellations: before.cancellations + (kind === 'cancel' ? 1 : 0),
  };
}

function numbers(from: number, count: number): number[] {
  const items: number[] = [];
  for (let i = 0; i < count; i++) items.push(from + i);
  return items;
}

type Listener = (event?: unknown) => void;

/** As much of an AbortSignal as is asked of one, and of its controller. */
export class LightSignal {
  readonly signal: AbortSignal = this as unknown as AbortSignal;
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<Listener>();

  addEventListener(_type: string, listener: Listener): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: string, listener: Listener): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) {
      // As with `once`.
      this.listeners.delete(listener);
      listener();
    }
  }
}

/** An AbortController that counts who listens, as the light one does. */
class CountedController {
  readonly listeners = new Set<unknown>();
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;

  constructor() {
    const { signal, listeners } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (type: string, listener: unknown, options?: unknown): void => {
      listeners.add(listener);
      add(type as 'abort', listener as never, options as never);
    };
    signal.removeEventListener = (type: string, listener: unknown): void => {
      listeners.delete(listener);
      remove(type as 'abort', listener as never);
    };
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.listeners.clear();
  }
}

type Signal = LightSignal | CountedController;

/** One schedule with a channel of its own. */
class Performance {
  readonly channel: Channel<number>;
  readonly outcomes: Outcome[] = [];
  readonly #signals: Signal[] = [];
  #sharedSignal: Signal | undefined;
  readonly #dropped: number[] = [];
  readonly #path: readonly Stand[];
  readonly #ending: string;
  readonly #world: Stage;

  constructor(path: readonly Stand[], ending: string, world: Stage) {
    this.#path = path;
    this.#ending = ending;
    this.#world = world;
    const [{ model }] = path as readonly [Stand];
    const options: ChannelOptions<number> = {
      capacity: model.capacity,
      overflow: model.overflow,
      onDrop: (items) => this.#dropped.push(...items),
    };
    this.channel = world.create?.(options) ?? new Channel<number>(options);
  }

  fail(what: string): never {
    throw new ScheduleError(describePath(this.#path, this.#ending), what);
  }

  /** Performs one act, and looks whether all that can be seen at once is as the model says. */
  step(before: Stand, after: Stand): void {
    const { channel } = this;
    const { kind, count, actor } = after.act as Act;
    const { nextItem } = before;
    switch (kind) {
      case 'send': {
        const signal = this.#createSignal();
        const items = numbers(nextItem, count);
        this.#watch(
          count === 1 ? channel.send(nextItem, { signal }) : channel.sendMany(items, { signal }),
          isSent,
        );
        break;
      }
      case 'sendAborted':
        this.#watch(channel.sendMany(numbers(nextItem, count), { signal: this.#abortedSignal() }), isSent);
        break;
      case 'receiveAborted':
        this.#watch(channel.receiveMany(count, { signal: this.#abortedSignal() }), hasGot);
        break;
      case 'trySend':
        this.#checkAnswer(after, () => Number(channel.trySend(nextItem)));
        break;
      case 'trySendMany':
        this.#checkAnswer(after, () => channel.trySendMany(numbers(nextItem, count)));
        break;
      case 'receive':
        this.#watch(channel.receive({ signal: this.#createSignal() }), hasGot);
        break;
      case 'receiveMany':
        this.#watch(channel.receiveMany(count, { signal: this.#createSignal() }), hasGot);
        break;
      case 'tryReceive':
        this.#checkAnswer(after, () => `${channel.tryReceive() ?? ''}`);
        break;
      case 'tryReceiveMany':
        this.#checkAnswer(after, () => channel.tryReceiveMany(count).join());
        break;
      case 'cancel':
        if (actor >= 0) this.#signals[before.last[actor] as number]?.abort(CANCELLED);
        else this.#shared.abort(CANCELLED);
        break;
      case 'close':
        channel.close();
        break;
      case 'abort':
        channel.abort(ABORTED);
        break;
    }
    this.compare(after);
  }

  compare({ model, act }: Stand): void {
    const { channel } = this;
    const size = model.size;
    if (channel.size > model.capacity) this.fail(`It holds ${channel.size}, more than it may.`);
    if (
      channel.size !== size ||
      channel.state !== model.state ||
      channel.waitingSenders !== model.senders.length ||
      channel.waitingReceivers !== model.receivers.length ||
      channel.dropped !== model.dropped.length
    ) {
      this.fail(
        `After '${act === undefined ? this.#ending : describeAct(act)}' it is ${channel.state} with ${channel.size} items, ${channel.waitingSenders} senders, ${channel.waitingReceivers} receivers, ${channel.dropped} dropped; expected ${model.state}, ${size}, ${model.senders.length}, ${model.receivers.length}, ${model.dropped.length}.`,
      );
    }
    if (this.#world.sharesSignal === true) {
      const { size: listeners } = this.#shared.listeners;
      // One for all who wait, or the list of a signal that lives long would grow.
      if (listeners !== Number(model.outcomes.includes('')))
        this.fail(`The signal of all has ${listeners} listeners.`);
      return;
    }
    for (let i = 0; i < model.outcomes.length; i++) {
      const listeners = (this.#signals[i] as Signal).listeners.size;
      if (listeners !== (model.outcomes[i] === '' ? 1 : 0))
        this.fail(
          `Operation ${i} (${model.outcomes[i] || 'waits'}) has ${listeners} listeners on its signal.`,
        );
    }
  }

  /** What promises told: what the model said before, and no more. */
  compareOutcomes(model: ChannelModel): void {
    for (let i = 0; i < model.outcomes.length; i++) {
      if ((this.outcomes[i] ?? '') !== model.outcomes[i])
        this.fail(
          `Operation ${i} was answered '${this.outcomes[i] ?? ''}', and should have been '${model.outcomes[i]}'.`,
        );
    }
    if (this.#dropped.join() !== model.dropped.join())
      this.fail(`Told of dropped ${this.#dropped.join()}, and should have been of ${model.dropped.join()}.`);
  }

  /** Apart from the model: each item is in one place, and what came out came in the order it went in. */
  checkItems(left: readonly number[], sent: number, taken: readonly (readonly number[])[]): void {
    const { isCancelled, model } = this.#path.at(-1) as Stand;
    const seen = new Set<number>();
    const place = (items: readonly number[]): void => {
      for (const item of items) {
        if (seen.has(item)) this.fail(`Item ${item} is in two places.`);
        seen.add(item);
      }
    };
    let hasLoss = model.state === 'aborted' || this.#ending === 'abort' || isCancelled.includes(true);
    hasLoss ||= this.outcomes.includes('cancelled');
    for (const outcome of this.outcomes) {
      const space = outcome.indexOf(' ');
      if (space > 0)
        place(
          outcome
            .slice(space + 1)
            .split(',')
            .map(Number),
        );
    }
    for (const items of taken) place(items);
    place(left);
    place(this.#dropped);
    // A trySend that found no room, or the end, has handed its items back by its answer.
    for (const { act, answer } of this.#path)
      if (act?.kind.startsWith('trySend') && answer !== act.count) hasLoss = true;
    if (!hasLoss && seen.size !== sent) this.fail(`Of ${sent} items ${seen.size} are somewhere.`);
  }

  get #shared(): Signal {
    this.#sharedSignal ??= this.#world.hasRealSignals === true ? new CountedController() : new LightSignal();
    return this.#sharedSignal;
  }

  #createSignal(): AbortSignal {
    if (this.#world.sharesSignal === true) return this.#shared.signal;
    const signal = this.#world.hasRealSignals === true ? new CountedController() : new LightSignal();
    this.#signals.push(signal);
    return signal.signal;
  }

  #abortedSignal(): AbortSignal {
    const signal = this.#createSignal();
    (this.#signals.at(-1) ?? this.#shared).abort(CANCELLED);
    return signal;
  }

  #watch<R>(promise: Promise<R>, describe: (value: R) => Outcome): void {
    const operation = this.outcomes.length;
    this.outcomes.push('');
    promise.then(
      (value) => this.#settle(operation, describe(value)),
      (error: unknown) => this.#settle(operation, describeError(error)),
    );
  }

  #settle(operation: number, outcome: Outcome): void {
    this.outcomes[operation] = this.outcomes[operation] === '' ? outcome : 'settled twice';
  }

  #checkAnswer({ act, answer }: Stand, call: () => unknown): void {
    let given: unknown;
    try {
      given = call();
    } catch (error) {
      given = error === ABORTED ? 'aborted' : 'closed';
    }
    if (given !== answer)
      this.fail(
        `'${describeAct(act as Act)}' answered '${String(given)}', and should have '${String(answer)}'.`,
      );
  }
}

const isSent = (): Outcome => 'sent';

function hasGot(value: number | readonly number[] | undefined): Outcome {
  return value === undefined ? 'end' : `got ${typeof value === 'number' ? value : value.join()}`;
}

function describeError(error: unknown): Outcome {
  if (error === ABORTED) return 'aborted';
  if (error === CANCELLED) return 'cancelled';
  if (!(error instanceof SendError)) return String(error);
  return `${error.code === 'SW_CHANNEL_FULL' ? 'full' : 'closed'} ${error.undelivered.join()}`;
}

/** As many turns of the microtask queue as an answer may take. */
async function learn(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
}

async function perform(path: readonly Stand[], ending: 'close' | 'abort', world: Stage): Promise<void> {
  const performance = new Performance(path, ending, world);
  for (let i = 1; i < path.length; i++) {
    const before = path[i - 1] as Stand;
    const after = path[i] as Stand;
    if (after.act?.isLater === true) {
      await learn();
      performance.compareOutcomes(before.model);
    }
    performance.step(before, after);
  }
  const last = path.at(-1) as Stand;
  await learn();
  performance.compareOutcomes(last.model);
  // Then everybody is sent home: whoever still waits is answered, and what is left comes out in order.
  const model = last.model.copy();
  const { channel } = performance;
  const left: number[] = [];
  if (ending === 'close') {
    channel.close();
    model.close();
    if (model.state !== 'aborted') {
      for (let some = channel.tryReceiveMany(2); some.length > 0; some = channel.tryReceiveMany(2)) {
        left.push(...some);
        if (some.join() !== (model.tryReceive(2) as readonly number[]).join())
          performance.fail(`At the end ${some.join()} came.`);
      }
    }
  } else {
    channel.abort(ABORTED);
    model.abort();
  }
  const end: Stand = { ...last, act: undefined, model };
  performance.compare(end);
  await learn();
  performance.compareOutcomes(model);
  if (performance.outcomes.includes('')) performance.fail('Somebody waits after the end.');
  performance.checkItems(
    left,
    last.nextItem - 1,
    path.flatMap(({ act, answer }) =>
      act?.kind.startsWith('tryReceive') === true && typeof answer === 'string' && /^\d/.test(answer)
        ? [answer.split(',').map(Number)]
        : [],
    ),
  );
}
