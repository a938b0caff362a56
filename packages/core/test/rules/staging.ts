/** A run between a source and a sink that are settled by hand and write down, in one list, all that is asked of them. */

import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { SubscribeOptions } from '../../src/dispatch/subscribe-options.ts';
import type { Flow } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Accepted, Sink, SinkContext, WriteContext } from '../../src/sink.ts';
import type { Positioned, Source, SourceContext } from '../../src/source.ts';

/** To a sink that is subscribed, its dispatcher is the run. Keyed, a hundred items in a row have one key. */
export const PLACES = [
  'a pipeline',
  'broadcast',
  'demand',
  'partition',
  'keyed partition',
  'demand behind broadcast',
] as const;

export type Place = (typeof PLACES)[number];

export type SinkOptions = Pick<
  SubscribeOptions<number>,
  'retry' | 'writeTimeout' | 'maxConcurrency' | 'maxUncommitted'
>;

/** A pipeline that writes to the sink, itself or through a dispatcher. */
export async function arrange(
  place: Place,
  source: Source<number, number> | Flow<number>,
  sink: Sink<number>,
  options: SinkOptions = {},
): Promise<ConcurrentPipeline<number>> {
  if (place === 'a pipeline') {
    const pipeline = new ConcurrentPipeline<number>(source, sink);
    if (options.retry !== undefined) pipeline.retry(options.retry);
    if (options.writeTimeout !== undefined) pipeline.writeTimeout(options.writeTimeout);
    if (options.maxConcurrency !== undefined) pipeline.maxConcurrency(options.maxConcurrency);
    if (options.maxUncommitted !== undefined) pipeline.maxUncommitted(options.maxUncommitted);
    return pipeline;
  }
  return new ConcurrentPipeline<number>(source, await subscribed(place, sink, options));
}

async function subscribed(
  place: Exclude<Place, 'a pipeline'>,
  sink: Sink<number>,
  options: SinkOptions,
): Promise<Sink<number>> {
  const builder = new DispatchedPipelineBuilder<number>({ logger: null });
  if (place === 'partition' || place === 'keyed partition') {
    const key = place === 'partition' ? {} : { key: (item: number) => Math.floor(item / 100) };
    const dispatcher = builder.partition(['all'], () => 'all', key);
    await dispatcher.subscribeSink(sink, 'all', options);
    return dispatcher.createSink();
  }
  const dispatcher = place === 'broadcast' ? builder.broadcast() : builder.demand();
  await dispatcher.subscribeSink(sink, undefined, options);
  if (place !== 'demand behind broadcast') return dispatcher.createSink();
  const outer = builder.broadcast();
  await outer.subscribeSink(dispatcher.createSink());
  return outer.createSink();
}

interface Settler<V> {
  readonly resolve: (value: V) => void;
  readonly reject: (error: unknown) => void;
}

/** What was asked, in order; an answer follows its question as `answer …` or `written …`. */
export class Protocol {
  readonly log: string[] = [];

  /** What was asked of one of the two. */
  of(who: 'source' | 'sink'): string[] {
    return this.log
      .filter((entry) => entry.startsWith(`${who} `))
      .map((entry) => entry.slice(who.length + 1));
  }
}

/** Answers each pull by hand; the position behind item n is n. */
export class StagedSource implements Source<number, number> {
  readonly name: string = 'staged source';
  readonly protocol: Protocol;
  readonly sleep: (ms: number) => Promise<void>;
  context: SourceContext<number> | undefined;
  reason: unknown;
  #pull: Settler<Positioned<number, number> | undefined> | undefined;

  constructor(protocol: Protocol, sleep: (ms: number) => Promise<void>) {
    this.protocol = protocol;
    this.sleep = sleep;
  }

  open(context: SourceContext<number>): void {
    this.#note('open');
    this.context = context;
  }

  pull(): Promise<Positioned<number, number> | undefined> {
    this.#note('pull');
    return new Promise((resolve, reject) => {
      this.#pull = { resolve, reject };
    });
  }

  get isPulled(): boolean {
    return this.#pull !== undefined;
  }

  answer(...items: number[]): void {
    this.#note(`answer ${items.join()}`);
    this.#take().resolve({ items, position: items.at(-1) as number });
  }

  end(): void {
    this.#note('answer end');
    this.#take().resolve(undefined);
  }

  fail(error: unknown): void {
    this.#note('answer failure');
    this.#take().reject(error);
  }

  /** Answers with what it has, and that is nothing. */
  stop(): void {
    this.#note('stop');
    if (this.isPulled) this.end();
  }

  async commit(positions: ReadonlyMap<string, number>): Promise<void> {
    this.#note(`commit ${[...positions].map(([lane, position]) => `${lane}${position}`).join()}`);
    await this.sleep(2);
    this.#note('committed');
  }

  close(reason?: unknown): void {
    this.#note(reason === undefined ? 'close' : 'close: reason');
    this.reason = reason;
  }

  #take(): Settler<Positioned<number, number> | undefined> {
    const pull = this.#pull;
    if (pull === undefined) throw new Error('No pull is outstanding.');
    this.#pull = undefined;
    return pull;
  }

  #note(what: string): void {
    this.protocol.log.push(`source ${what}`);
  }
}

export interface StagedWrite extends Settler<void | Accepted> {
  readonly items: readonly number[];
  readonly context: WriteContext;
}

/** Answers each write by hand. */
export class StagedSink implements Sink<number> {
  readonly name: string = 'staged sink';
  readonly protocol: Protocol;
  readonly concurrency: number | undefined;
  readonly atomic: boolean | undefined;
  /** Every write there was, and those that are not answered. */
  readonly writes: StagedWrite[] = [];
  readonly outstanding: StagedWrite[] = [];
  context: SinkContext | undefined;
  reason: unknown;
  failsToFlush: unknown;

  constructor(protocol: Protocol, options: { concurrency?: number; atomic?: boolean } = {}) {
    this.protocol = protocol;
    this.concurrency = options.concurrency;
    this.atomic = options.atomic;
  }

  open(context: SinkContext): void {
    this.#note('open');
    this.context = context;
  }

  write(items: readonly number[], context: WriteContext): Promise<void | Accepted> {
    this.#note(`write ${items.join()}`);
    return new Promise((resolve, reject) => {
      const write: StagedWrite = {
        items,
        context,
        resolve: (answer) => {
          this.#end(write, 'written');
          resolve(answer);
        },
        reject: (error) => {
          this.#end(write, 'refused');
          reject(error);
        },
      };
      this.writes.push(write);
      this.outstanding.push(write);
    });
  }

  /** The oldest write that is not answered. */
  get next(): StagedWrite {
    const [write] = this.outstanding;
    if (write === undefined) throw new Error('No write is outstanding.');
    return write;
  }

  flush(): void {
    this.#note('flush');
    if (this.failsToFlush !== undefined) throw this.failsToFlush;
  }

  close(reason?: unknown): void {
    this.#note(reason === undefined ? 'close' : 'close: reason');
    this.reason = reason;
  }

  #end(write: StagedWrite, how: string): void {
    this.outstanding.splice(this.outstanding.indexOf(write), 1);
    this.#note(`${how} ${write.items.join()}`);
  }

  #note(what: string): void {
    this.protocol.log.push(`sink ${what}`);
  }
}
