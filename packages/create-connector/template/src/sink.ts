/** TemplateNameSink: items to the end of a log. */

import { type Sink, type SinkContext, type WriteContext, WriteError } from '@streamweld/core/connector';
import { type KeptPositions, Session } from './client.ts';
import { checkTemplateNameOptions, type TemplateNameOptions } from './options.ts';

/**
 * Appends to a log, each write whole or not at all, and keeps the positions of its run with the items: behind a source
 * with positions, each item is written exactly once.
 *
 * @example
 * const sink = new TemplateNameSink({ connection: { url: 'memory://local' }, log: 'orders' });
 * await new ConcurrentPipeline(['one', 'two'], sink).run();
 */
export class TemplateNameSink implements Sink<string> {
  readonly name: string;
  /** K2: order matters in a log. */
  readonly concurrency = 1;
  readonly atomic = true;
  readonly keepsPositions = true;
  readonly #options: TemplateNameOptions;
  #session: Session | undefined;
  #checkpoint: string | undefined;

  /** @throws OptionError */
  constructor(options: TemplateNameOptions) {
    this.#options = checkTemplateNameOptions('TemplateNameSink', options);
    this.name = `template-name ${options.log}`;
  }

  async open({ checkpoint, signal }: SinkContext): Promise<void> {
    this.#checkpoint = checkpoint;
    this.#session = await Session.open(this.#options, this.name, signal);
  }

  /** K11: what it holds, so that the source goes on behind it. */
  async positions(): Promise<ReadonlyMap<string, unknown>> {
    const name = this.#checkpoint;
    if (name === undefined || this.#session === undefined) return new Map();
    const { log } = this.#options;
    return this.#session.ask('read positions', (client, signal) => client.positions(log, name, signal));
  }

  async write(batch: readonly string[], { positions, signal }: WriteContext): Promise<void> {
    const refused = await this.#append(batch, positions, signal);
    if (refused === undefined || refused.length === 0) return;
    // K20: the items are at fault. Named, they go to the dead letter, and the others are written again without them.
    const which = refused.length === 1 ? 'an item' : `${refused.length} items`;
    throw new WriteError(`The server does not take ${which} of this write: see \`failed\` for the indexes.`, {
      stage: this.name,
      failed: refused,
      retryable: false,
    });
  }

  /** K14: positions that no write brings. */
  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    await this.#append([], positions);
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  async #append(
    items: readonly string[],
    positions: ReadonlyMap<string, unknown> | undefined,
    signal?: AbortSignal,
  ): Promise<readonly number[] | undefined> {
    const name = this.#checkpoint;
    const kept: KeptPositions =
      name === undefined || positions === undefined ? undefined : { name, positions };
    return this.#session?.ask(
      'append to the log',
      (client, until) => client.append(this.#options.log, items, kept, until),
      signal,
    );
  }
}
