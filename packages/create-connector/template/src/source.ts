/** TemplateNameSource: the items of a log, from where the last run was. */

import {
  type Positioned,
  type Source,
  type SourceContext,
  StreamWeldError,
} from '@streamweld/core/connector';
import { Session } from './client.ts';
import { checkTemplateNameOptions, type TemplateNameOptions } from './options.ts';

/**
 * Reads a log to its end. A position is the number of items before it, in the one lane there is.
 *
 * @example
 * const source = new TemplateNameSource({ connection: { url: 'memory://local' }, log: 'orders' });
 * await new ConcurrentPipeline(source, (orders) => console.log(orders)).run();
 */
export class TemplateNameSource implements Source<string, number> {
  readonly name: string;
  readonly #options: TemplateNameOptions;
  #session: Session | undefined;
  #at = 0;
  #isStopped = false;

  /** @throws OptionError */
  constructor(options: TemplateNameOptions) {
    this.#options = checkTemplateNameOptions('TemplateNameSource', options);
    this.name = `template-name ${options.log}`;
  }

  async open({ positions, signal }: SourceContext<number>): Promise<void> {
    this.#session = await Session.open(this.#options, this.name, signal);
    // S12: without a position it begins at the beginning.
    for (const [lane, position] of positions) this.#at = await this.#checked(this.#session, lane, position);
  }

  async pull(demand: number): Promise<Positioned<string, number> | undefined> {
    if (this.#isStopped || this.#session === undefined) return undefined;
    const { log } = this.#options;
    const items = await this.#session.ask('read from the log', (client, signal) =>
      client.read(log, this.#at, demand, signal),
    );
    // S3: nothing is the end. S7: the position is the one behind the batch.
    if (items.length === 0) return undefined;
    this.#at += items.length;
    return { items, position: this.#at };
  }

  stop(): void {
    this.#isStopped = true;
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  /** S13: what this log cannot have given is refused, and never guessed at. */
  async #checked(session: Session, lane: string, position: unknown): Promise<number> {
    const count = await session.ask('count the log', (client, signal) =>
      client.count(this.#options.log, signal),
    );
    if (lane === '' && Number.isSafeInteger(position) && Number(position) > 0 && Number(position) <= count) {
      return Number(position);
    }
    throw new StreamWeldError(
      'SW_TEMPLATE_NAME_POSITION_INVALID',
      `The checkpoint holds what is no position of ${this.name}, which has ${count} items. Resume with the checkpoint of this log, or remove it to begin at the beginning.`,
      { stage: this.name },
    );
  }
}
