/** The topics that a source reads: those it names, and those that its expressions find. */

import type { KafkaAdmin, TopicPartition } from './client.ts';
import { KafkaError } from './errors.ts';

export class TopicList {
  readonly #wanted: readonly (string | RegExp)[];
  readonly #stage: string;
  /** How many partitions each had when the source was opened; none, where it came later. */
  readonly #known = new Map<string, number>();
  #names: readonly string[] = [];
  #isOpen = false;

  constructor(wanted: readonly (string | RegExp)[], stage: string) {
    this.#wanted = wanted;
    this.#stage = stage;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Whether the partition was added since the source was opened. */
  isNew({ topic, partition }: TopicPartition): boolean {
    return partition >= (this.#known.get(topic) ?? 0);
  }

  /**
   * Looks what is there; answers whether that has changed.
   * @throws KafkaError SW_KAFKA_TOPIC_UNKNOWN where one that is named is not there, or not any more.
   */
  async find(admin: KafkaAdmin): Promise<boolean> {
    const there = await admin.topics();
    const found = new Set<string>();
    for (const topic of this.#wanted) {
      if (typeof topic !== 'string') {
        for (const name of there) if (!name.startsWith('__') && fits(topic, name)) found.add(name);
      } else if (there.includes(topic)) {
        found.add(topic);
      } else {
        throw this.#missing(topic);
      }
    }
    for (const topic of found) {
      if (!this.#known.has(topic)) this.#known.set(topic, this.#isOpen ? 0 : await admin.partitions(topic));
    }
    const names = [...found].sort();
    const hasChanged = names.join('\n') !== this.#names.join('\n');
    this.#names = names;
    this.#isOpen = true;
    return hasChanged;
  }

  #missing(topic: string): KafkaError {
    return new KafkaError(
      'SW_KAFKA_TOPIC_UNKNOWN',
      this.#isOpen
        ? `Topic ${JSON.stringify(topic)} was deleted while it was read. What was handed out before is settled as far as the sinks took it.`
        : `There is no topic ${JSON.stringify(topic)}, or the user may not see it. Create it, or check the name.`,
      { stage: this.#stage, topic },
    );
  }
}

/** An expression with a `g` or `y` would begin where it ended the last time. */
export function fits(pattern: RegExp, name: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(name);
}
