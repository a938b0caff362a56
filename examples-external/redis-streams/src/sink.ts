/** RedisStreamSink: items as entries of a stream. */

import {
  type Sink,
  type SinkContext,
  StreamWeldError,
  WriteError,
  type WriteContext,
} from '@streamweld/core/connector';
import { Connection } from './client.ts';
import { isTransient, RedisError } from './errors.ts';
import { type CheckedSinkOptions, checkSinkOptions, type RedisStreamSinkOptions } from './options.ts';
import { toWords } from './sink-fields.ts';
import { MOST_WORDS, positionWords, SCRIPT, type ScriptAnswer, toHeld } from './sink-script.ts';

/** What the sink knows of the positions that it keeps. */
interface Kept {
  readonly key: string;
  readonly name: string;
  readonly epoch: string;
  /** The last write that was answered. */
  last: string;
  /** The write that was sent and not answered: tried again, it is known by this. */
  pending: { readonly id: string; readonly place: string } | undefined;
  writes: number;
}

/**
 * Adds items to the end of a stream. The server gives the ids.
 *
 * A write is one round trip: the entries of a batch follow each other without waiting for answers, and those that were refused
 * are named. With `.checkpoint(store, name)` a write is a script that adds the entries and keeps the positions in one step, and
 * every item is there exactly once.
 *
 *     new RedisStreamSink({ connection, stream: 'hits', fields: (hit) => ({ path: hit.path, at: hit.at }) })
 */
export class RedisStreamSink<T = object> implements Sink<T> {
  readonly name: string;
  /** A stream is in the order of its writes. */
  readonly concurrency = 1;
  readonly keepsPositions = true;
  readonly batching: { readonly maxItems: number; readonly lingerMs: number };
  readonly #options: CheckedSinkOptions<T>;
  readonly #connection: Connection;
  #context: SinkContext | undefined;
  #kept: Kept | undefined;

  constructor(options: RedisStreamSinkOptions<T>) {
    this.#options = checkSinkOptions(options);
    this.name = this.#options.name;
    this.batching = this.#options.batching;
    this.#connection = new Connection(this.#options);
  }

  async open(context: SinkContext): Promise<void> {
    this.#context = context;
    const { stream, positionsKey } = this.#options;
    const kind = await this.#connection.send(['TYPE', stream], 'look at the stream', context.signal);
    if (kind !== 'none' && kind !== 'stream') throw this.#wrongKey();
    const { checkpoint } = context;
    if (checkpoint === undefined) return;
    const key = positionsKey ?? `{${stream}}:streamweld:${checkpoint}`;
    const raise = ['HINCRBY', key, 'epoch', '1'];
    const epoch = await this.#connection.send(raise, 'take over the positions', context.signal);
    this.#kept = { key, name: checkpoint, epoch: String(epoch), last: '', pending: undefined, writes: 0 };
  }

  async positions(): Promise<ReadonlyMap<string, unknown>> {
    const kept = this.#kept;
    if (kept === undefined) return new Map();
    const reply = await this.#connection.send(
      ['HGETALL', kept.key],
      'read the positions',
      this.#context?.signal,
    );
    const { positions, write } = toHeld(reply);
    kept.last = write;
    return positions;
  }

  async write(batch: readonly T[], { signal, positions }: WriteContext): Promise<void> {
    const kept = this.#kept;
    const most = kept === undefined ? Infinity : MOST_WORDS;
    const words = toWords(batch, this.#options.fields, { stage: this.name, most });
    try {
      if (kept === undefined) await this.#add(words, signal);
      else await this.#addAndKeep(kept, words, positions ?? new Map(), signal);
    } catch (error) {
      // Not of the items, and the same again cannot succeed: the run has to know, and no item is to blame.
      if (error instanceof RedisError && !error.isTransient) this.#context?.fail(error);
      throw error;
    }
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    if (this.#kept !== undefined) await this.#addAndKeep(this.#kept, [], positions, this.#context?.signal);
  }

  /** One command an entry, none waiting for the answer to the one before. */
  async #add(words: readonly string[][], signal: AbortSignal): Promise<void> {
    const { stream, maxLength } = this.#options;
    const trim = maxLength === undefined ? [] : ['MAXLEN', '~', String(maxLength)];
    const commands = words.map((each) => ['XADD', stream, ...trim, '*', ...each]);
    const answers = await this.#connection.sendAll(commands, 'add to the stream', signal);
    const failed = answers.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    if (failed.length === 0) return;
    const errors = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as Error] : [],
    );
    const lasting = errors.find((error) => !isTransient(error));
    if (lasting !== undefined) throw lasting;
    const [cause] = errors;
    throw new WriteError(`${failed.length} of ${words.length} entries were not added: ${cause?.message}`, {
      stage: this.name,
      failed,
      cause,
    });
  }

  /** Entries and positions in one step, once: a write that comes again is known, also where its answer was lost. */
  async #addAndKeep(
    kept: Kept,
    words: readonly string[][],
    positions: ReadonlyMap<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { stream, maxLength } = this.#options;
    const lanes = positionWords(positions);
    const place = JSON.stringify(lanes);
    if (kept.pending?.place !== place) {
      kept.writes += 1;
      kept.pending = { id: `${kept.epoch}:${kept.writes}`, place };
    }
    const { id } = kept.pending;
    const args = ['EVAL', SCRIPT, '2', stream, kept.key, kept.epoch, kept.last, id, String(maxLength ?? '')];
    args.push(String(positions.size), ...lanes);
    for (const each of words) args.push(String(each.length), ...each);
    const answer = (await this.#connection.send(args, 'add to the stream', signal)) as ScriptAnswer;
    if (answer === 'DONE' || answer === 'HELD') {
      kept.last = id;
      kept.pending = undefined;
      return;
    }
    throw this.#refusal(answer, kept);
  }

  #refusal(answer: ScriptAnswer, kept: Kept): StreamWeldError {
    if (answer === 'WRONGTYPE') return this.#wrongKey();
    if (answer === 'FENCED') {
      return new StreamWeldError(
        'SW_CHECKPOINT_FENCED',
        `Another run has taken over the checkpoint of ${JSON.stringify(kept.name)}. Let only one run at a time use a name.`,
        { stage: this.name },
      );
    }
    return new RedisError(
      'REDIS_WRITES_LOST',
      `The server no longer has what it had answered to ${this.name}: it was flushed, has lost its last writes in a crash (appendfsync), or a replica took over that did not have them. Nothing is written behind the gap. Run again: the run goes on from what the server has.`,
      { stage: this.name },
    );
  }

  #wrongKey(): RedisError {
    return new RedisError(
      'REDIS_KEY_WRONG',
      `The key ${JSON.stringify(this.#options.stream)} holds something else than a stream. Check its name, or give another.`,
      { stage: this.name },
    );
  }

  close(): void {
    this.#connection.close();
  }
}
