/** Sinks of which each write ends as the test says. */

import { WriteError } from '../../src/errors.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { Accepted, Sink, SinkContext, WriteContext } from '../../src/sink.ts';

export interface Attempt<T> {
  readonly items: readonly T[];
  readonly attempt: number;
  readonly context: WriteContext;
  /** On the clock of the test, where it was given one. */
  readonly at: number;
}

export interface ScriptedOptions<T> {
  readonly name?: string;
  readonly atomic?: boolean;
  readonly concurrency?: number;
  readonly maxItems?: number;
  readonly now?: () => number;
  /** Throws or rejects where a write is to fail; the items that landed nevertheless are handed to `land`. */
  readonly write?: (
    attempt: Attempt<T>,
    index: number,
    land: (items: readonly T[]) => void,
  ) => void | Accepted | Promise<void | Accepted>;
  readonly flush?: () => void | Promise<void>;
}

/** Keeps every write, and what landed. */
export class ScriptedSink<T> implements Sink<T> {
  readonly name: string;
  readonly atomic: boolean;
  readonly concurrency: number | undefined;
  readonly batching: { readonly maxItems: number } | undefined;
  readonly writes: Attempt<T>[] = [];
  /** What landed, in order. */
  readonly items: T[] = [];
  readonly calls: string[] = [];
  context: SinkContext | undefined;
  readonly #options: ScriptedOptions<T>;

  constructor(options: ScriptedOptions<T> = {}) {
    this.#options = options;
    this.name = options.name ?? 'scripted';
    this.atomic = options.atomic ?? false;
    this.concurrency = options.concurrency;
    this.batching = options.maxItems === undefined ? undefined : { maxItems: options.maxItems };
  }

  open(context: SinkContext): void {
    this.calls.push('open');
    this.context = context;
  }

  write(items: readonly T[], context: WriteContext): void | Accepted | Promise<void | Accepted> {
    const attempt = { items, attempt: context.attempt, context, at: this.#options.now?.() ?? 0 };
    this.writes.push(attempt);
    const land = (landed: readonly T[]): void => {
      this.items.push(...landed);
    };
    const answer = this.#options.write?.(attempt, this.writes.length - 1, land);
    if (answer instanceof Promise) {
      return answer.then((accepted) => {
        land(items);
        return accepted;
      });
    }
    land(items);
    return answer;
  }

  flush(): void | Promise<void> {
    this.calls.push('flush');
    return this.#options.flush?.();
  }

  close(reason?: unknown): void {
    this.calls.push(reason === undefined ? 'close' : 'close: reason');
  }

  /** The items of each write, and which attempt it was. */
  get log(): string[] {
    return this.writes.map(({ items, attempt }) => `${items.join(' ')} #${attempt}`);
  }
}

/** Keeps the letters, and settles their durability when the test says so. */
export class LetterSink extends ScriptedSink<DeadLetter> {
  get bad(): unknown[] {
    return this.items.map(({ item }) => item);
  }
}

/** The same sink, of which nobody can ask that it makes things durable. */
export function withoutFlush<T>(sink: Sink<T>): Sink<T> {
  return { write: (batch, context) => sink.write(batch, context) };
}

/** An error in the data. */
export function bad(...failed: number[]): WriteError {
  return new WriteError('bad data', { retryable: false, ...(failed.length === 0 ? {} : { failed }) });
}

/** A failure that may pass. */
export function outage(...failed: number[]): WriteError {
  return new WriteError('outage', failed.length === 0 ? {} : { failed });
}
