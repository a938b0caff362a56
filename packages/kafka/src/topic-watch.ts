/** Looks, now and then, for topics that came and went. */

import { runtime } from '@streamweld/core/connector';
import type { Inquiry } from './inquiry.ts';
import type { TopicList } from './topic-list.ts';

interface TopicWatchHandlers {
  onChange(): Promise<void>;
  onFail(error: unknown): void;
}

export class TopicWatch {
  readonly #topics: TopicList;
  readonly #inquiry: Inquiry;
  readonly #everyMs: number;
  readonly #handlers: TopicWatchHandlers;
  #timer: unknown;
  #isOver = false;

  constructor(topics: TopicList, inquiry: Inquiry, everyMs: number, handlers: TopicWatchHandlers) {
    this.#topics = topics;
    this.#inquiry = inquiry;
    this.#everyMs = everyMs;
    this.#handlers = handlers;
  }

  begin(): void {
    if (this.#isOver) return;
    this.#timer = runtime.setTimer(() => void this.#look().finally(() => this.begin()), this.#everyMs);
  }

  end(): void {
    this.#isOver = true;
    runtime.clearTimer(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      if (await this.#inquiry.ask((admin) => this.#topics.find(admin))) await this.#handlers.onChange();
    } catch (error) {
      this.#handlers.onFail(error);
    }
  }
}
