/** An object of a sink while items are added to it: its encoder, its compression, its age, and its bytes on their way. */

import { Deferred, runtime } from '@streamweld/core/connector';
import { type Encoder, Gzip } from '@streamweld/formats';
import type { Body } from './sink-body.ts';
import type { Slots } from './sink-buffers.ts';

export interface ObjectOptions<T> {
  readonly by: string;
  readonly encoder: Encoder<T>;
  readonly body: Body;
  readonly isZipped: boolean;
  readonly level: number;
  /** One of them is held from its first byte to its end. */
  readonly slots: Slots;
  /** Waited for before anything of it is sent. */
  readonly before: () => Promise<void>;
  readonly signal: AbortSignal;
}

export class OpenObject<T> {
  readonly by: string;
  readonly encoder: Encoder<T>;
  readonly isZipped: boolean;
  items = 0;
  /** Settles when it is there, or never will be. */
  readonly durable: Deferred<void> = new Deferred<void>();
  readonly #options: ObjectOptions<T>;
  readonly #gzip: Gzip | undefined;
  readonly #timers = new Set<ObjectTimer>();
  #accepted = 0;
  #chain: Promise<void>;
  #hasSlot = false;

  constructor(options: ObjectOptions<T>) {
    this.#options = options;
    this.by = options.by;
    this.encoder = options.encoder;
    this.isZipped = options.isZipped;
    this.#gzip = options.isZipped ? new Gzip({ level: options.level }) : undefined;
    this.#chain = this.#begin();
    this.#chain.catch(() => {});
  }

  get key(): string {
    return this.#options.body.key;
  }

  /** As they are stored; of what is compressed, those that are known. */
  get bytes(): number {
    return this.isZipped ? this.#options.body.length : this.#accepted;
  }

  /** Calls back when it is so old, and when nothing came for so long; unless it has ended by then. */
  watch(maxAgeMs: number, maxIdleMs: number, over: () => void): void {
    if (maxAgeMs !== Number.POSITIVE_INFINITY) this.#timers.add(new ObjectTimer(maxAgeMs, over));
    if (maxIdleMs !== Number.POSITIVE_INFINITY) this.#timers.add(new IdleTimer(maxIdleMs, over));
  }

  /** Resolves when all is taken over. One after the other. */
  append(items: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.items += items;
    for (const chunk of chunks) this.#accepted += chunk.byteLength;
    for (const timer of this.#timers) timer.touch();
    return this.#then(async () => {
      for (const chunk of chunks) await this.#write(chunk);
    });
  }

  /** It takes no more. Resolves when it is there. */
  finish(): Promise<void> {
    this.#endTimers();
    const finished = this.#then(async () => {
      await this.#write(this.encoder.end());
      if (this.#gzip !== undefined) await this.#options.body.write(await this.#gzip.end());
      await this.#options.body.complete();
    });
    return finished.finally(() => this.#release());
  }

  /** Its signal has aborted: nothing of it stays. */
  async abandon(signal: AbortSignal): Promise<void> {
    this.#endTimers();
    await this.#chain.catch(() => {});
    try {
      await this.#options.body.abandon(signal);
    } finally {
      this.#release();
    }
  }

  async #begin(): Promise<void> {
    const { slots, signal, before } = this.#options;
    await slots.take(signal);
    this.#hasSlot = true;
    await before();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { body } = this.#options;
    if (bytes.byteLength === 0) return;
    await body.write(this.#gzip === undefined ? bytes : await this.#gzip.write(bytes));
  }

  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#chain.then(step);
    this.#chain = done;
    done.catch(() => {});
    return done;
  }

  #endTimers(): void {
    for (const timer of this.#timers) timer.clear();
    this.#timers.clear();
  }

  #release(): void {
    this.#gzip?.close();
    if (this.#hasSlot) this.#options.slots.give();
    this.#hasSlot = false;
  }
}

/** Over once, so long after it began. */
class ObjectTimer {
  readonly ms: number;
  readonly #over: () => void;
  #timer: unknown;

  constructor(ms: number, over: () => void) {
    this.ms = ms;
    this.#over = over;
    this.set(ms);
  }

  touch(): void {}

  clear(): void {
    runtime.clearTimer(this.#timer);
  }

  protected set(ms: number): void {
    this.#timer = runtime.setTimer(() => this.rung(), ms);
  }

  protected rung(): void {
    this.#over();
  }
}

/** Over so long after the last touch: it is not set anew for each. */
class IdleTimer extends ObjectTimer {
  #touched = runtime.now();

  override touch(): void {
    this.#touched = runtime.now();
  }

  protected override rung(): void {
    const left = this.#touched + this.ms - runtime.now();
    if (left > 0) this.set(left);
    else super.rung();
  }
}
