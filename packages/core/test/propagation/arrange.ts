/** The arrangements: each puts parties of a world together, ready to begin. */

import { Readable, Writable } from 'node:stream';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import type { SubscribeOptions } from '../../src/dispatch/subscribe-options.ts';
import type { Subscription } from '../../src/dispatch/subscription.ts';
import { type Flow, from, type SourceLikeOrFlow } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { RetryOptions } from '../../src/policy/retry.ts';
import type { Sink, SinkLike } from '../../src/sink.ts';
import type { Awaitable, Positioned, Processor, Source } from '../../src/source.ts';
import type { Shape } from './case.ts';
import type { Scene, World } from './world.ts';

/** How the promise of a call is passed on: whatever it is answered with, the contract has nothing for it. */
type Done = Awaitable<void>;

function source(world: World, name: string): Source<number, number> {
  return {
    name,
    open: (context) => world.opened(name, context) as Done,
    pull: () => world.call(name, 'pull') as Promise<Positioned<number, number> | undefined>,
    stop: () => {
      const answer = world.call(name, 'stop');
      // S9: with what there is, and that is nothing.
      if (world.waits(`${name}.pull`)) world.take(`${name}.pull`).resolve(undefined);
      return answer as Done;
    },
    commit: (positions) => world.call(name, 'commit', [...positions.values()]) as Done,
    close: (reason) => world.call(name, 'close', [], reason) as Done,
  };
}

function sink(world: World, name: string): Sink<number> {
  return {
    name,
    open: (context) => world.opened(name, context) as Done,
    write: (batch) => world.call(name, 'write', batch) as Done,
    flush: () => world.call(name, 'flush') as Done,
    close: (reason) => world.call(name, 'close', [], reason) as Done,
  };
}

/** Takes letters at once, unless it is told otherwise. */
function letters(world: World): Sink<DeadLetter> {
  return {
    name: 'letters',
    open: (context) => world.opened('letters', context) as Done,
    write: (batch) =>
      world.call(
        'letters',
        'letter',
        batch.map(({ item }) => item),
      ) as Done,
    flush: () => world.call('letters', 'flush') as Done,
    close: (reason) => world.call('letters', 'close', [], reason) as Done,
  };
}

function operator(world: World): Processor<number, number> {
  return {
    name: 'operator',
    process: (batch) => {
      const answer = world.call('operator', 'process', batch);
      return answer === undefined ? batch : (answer as Promise<number[]>).then(() => batch);
    },
    flush: () => {
      const answer = world.call('operator', 'flush');
      return answer === undefined ? [] : (answer as Promise<void>).then(() => []);
    },
    holdsBack: () => false,
    close: (reason) => world.call('operator', 'close', [], reason) as Done,
  };
}

const retries = (attempts: number): RetryOptions => ({
  attempts,
  backoff: { firstMs: 100, factor: 1 },
  jitter: 0,
});

function pipe(world: World, given: SourceLikeOrFlow<number>, target: SinkLike<number>): Scene {
  const { failFast, letters: hasLetters, retry, maxConcurrency } = world.settings;
  const pipeline = new ConcurrentPipeline<number>(given, target);
  if (failFast !== undefined) pipeline.failFast(failFast);
  if (hasLetters === true) pipeline.deadLetter(letters(world));
  if (retry !== undefined) pipeline.retry(retries(retry));
  if (maxConcurrency !== undefined) pipeline.maxConcurrency(maxConcurrency);
  return { pipeline, begin: (signal) => pipeline.run({ signal }) };
}

interface Fan {
  readonly dispatcher: Dispatcher<number, string> | Dispatcher<number>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
}

const shared = new WeakMap<World, Sink<DeadLetter>>();

function sharedLetters(world: World): Sink<DeadLetter> {
  const known = shared.get(world) ?? letters(world);
  shared.set(world, known);
  return known;
}

/** Policies are those of the subscriptions, which share a dead letter. */
function fanOut(world: World, { dispatcher, subscriptions }: Fan): Scene {
  const pipeline = new ConcurrentPipeline<number>(source(world, 'source'), dispatcher.createSink());
  return { pipeline, dispatcher, subscriptions, begin: (signal) => pipeline.run({ signal }) };
}

function optionsFor(world: World, name: string): SubscribeOptions<number> {
  const { detach = [], retry, letters: hasLetters } = world.settings;
  return {
    ...(detach.includes(name) ? { onError: 'detach' } : {}),
    ...(retry === undefined ? {} : { retry: retries(retry) }),
    ...(hasLetters === true ? { deadLetter: sharedLetters(world) } : {}),
  };
}

async function subscribeBoth(world: World, dispatcher: Dispatcher<number>): Promise<Fan> {
  const subscriptions = new Map<string, Subscription>();
  for (const name of ['first', 'second']) {
    const options = optionsFor(world, name);
    subscriptions.set(name, await dispatcher.subscribeSink(sink(world, name), undefined, options));
  }
  return { dispatcher, subscriptions };
}

const builder = (name: string): DispatchedPipelineBuilder<number> =>
  new DispatchedPipelineBuilder<number>({ name, logger: null });

async function partition(world: World): Promise<Scene> {
  const dispatcher = builder('dispatcher').partition(['first', 'second'], (item) =>
    item % 2 === 1 ? 'first' : 'second',
  );
  const subscriptions = new Map<string, Subscription>();
  for (const name of ['first', 'second'] as const) {
    const options = optionsFor(world, name);
    subscriptions.set(name, await dispatcher.subscribeSink(sink(world, name), name, options));
  }
  return fanOut(world, { dispatcher, subscriptions });
}

/** `outer` broadcasts to `first` and to `inner`, which broadcasts to `second` alone. */
async function nested(world: World): Promise<Scene> {
  const inner = builder('inner').broadcast();
  await inner.subscribeSink(sink(world, 'second'), undefined, optionsFor(world, 'second'));
  const dispatcher = builder('outer').broadcast();
  const subscriptions = new Map<string, Subscription>();
  subscriptions.set('first', await dispatcher.subscribeSink(sink(world, 'first')));
  subscriptions.set(
    'inner',
    await dispatcher.subscribeSink(inner.createSink(), undefined, optionsFor(world, 'inner')),
  );
  return fanOut(world, { dispatcher, subscriptions });
}

function webStreams(world: World): Scene {
  let reading: ReadableStreamDefaultController<number> | undefined;
  let writing: WritableStreamDefaultController | undefined;
  const readable = new ReadableStream<number>(
    {
      start: (controller) => {
        reading = controller;
      },
      pull: async (controller) => {
        const answer = (await world.call('readable', 'pull')) as Positioned<number, number> | undefined;
        if (answer === undefined) controller.close();
        else for (const item of answer.items) controller.enqueue(item);
      },
      cancel: (reason) => world.call('readable', 'cancel', [], reason) as Done,
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<number>({
    start: (controller) => {
      writing = controller;
    },
    write: async (item) => {
      await world.call('writable', 'write', [item]);
    },
    close: () => world.call('writable', 'close') as Done,
    abort: (reason) => world.call('writable', 'abort', [], reason) as Done,
  });
  world.tricks.set('readable errors', (error) => reading?.error(error));
  world.tricks.set('writable errors', (error) => writing?.error(error));
  return pipe(world, readable, writable);
}

function nodeStreams(world: World): Scene {
  const readable = new Readable({
    objectMode: true,
    read: () => {},
    destroy: (error, callback) => {
      world.call('readable', 'destroy', [], error ?? undefined);
      callback(error);
    },
  });
  const writable = new Writable({
    objectMode: true,
    write: (item, _encoding, callback) => {
      const answer = world.call('writable', 'write', [item]) as Promise<void>;
      answer.then(
        () => callback(),
        (error: Error) => callback(error),
      );
    },
    final: (callback) => {
      world.call('writable', 'final');
      callback();
    },
    destroy: (error, callback) => {
      world.call('writable', 'destroy', [], error ?? undefined);
      callback(error);
    },
  });
  world.tricks.set('readable pushes', (items) => {
    for (const item of items as number[]) readable.push(item);
  });
  world.tricks.set('readable ends', () => readable.push(null));
  world.tricks.set('readable breaks', (error) => readable.destroy(error as Error));
  world.tricks.set('readable vanishes', () => readable.destroy());
  world.tricks.set('writable breaks', (error) => writable.destroy(error as Error));
  world.tricks.set('writable vanishes', () => writable.destroy());
  return pipe(world, readable, writable);
}

/** The loop writes each item down, and waits to be told what it does about it. */
async function loop(world: World, flow: Flow<number>): Promise<void> {
  for await (const item of flow) if ((await world.call('loop', 'body', [item])) === 'break') break;
}

function loopOver(world: World): Scene {
  const flow = from(source(world, 'source')).through(operator(world));
  return { begin: () => loop(world, flow) };
}

/** Puts the parties of a shape together. Sinks of a dispatcher are open afterwards. */
export async function arrange(world: World, shape: Shape): Promise<Scene> {
  switch (shape) {
    case 'source to sink':
      return pipe(world, source(world, 'source'), sink(world, 'sink'));
    case 'source to map to sink': {
      const mapped = from(source(world, 'source')).map(
        (item) => world.call('map', 'call', [item]) as Promise<number>,
      );
      return pipe(world, mapped.through(operator(world)), sink(world, 'sink'));
    }
    case 'merge of two':
      return pipe(world, from(source(world, 'left')).merge(source(world, 'right')), sink(world, 'sink'));
    case 'broadcast of two':
      return fanOut(world, await subscribeBoth(world, builder('dispatcher').broadcast()));
    case 'demand of two':
      return fanOut(world, await subscribeBoth(world, builder('dispatcher').demand()));
    case 'partition of two':
      return partition(world);
    case 'nested dispatcher':
      return nested(world);
    case 'web streams':
      return webStreams(world);
    case 'Node streams':
      return nodeStreams(world);
    case 'loop over a flow':
      return loopOver(world);
  }
}
