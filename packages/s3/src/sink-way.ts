/** The two ways in which a sink writes, by one contract: what the sink is told, it tells its way. */

import type { Accepted, WriteContext } from '@streamweld/core/connector';
import type { Ledger } from './ledger-object.ts';
import type { Workshop } from './sink-body.ts';
import type { CheckedSinkOptions } from './sink-options.ts';

export interface WayOfWriting<T> {
  write(batch: readonly T[], context: WriteContext): Promise<void | Accepted>;
  /** Keeps positions that moved without items. */
  keep?(positions: ReadonlyMap<string, unknown>): Promise<void>;
  flush(): Promise<void>;
  /** The good end. */
  close(): Promise<void>;
  /** Any other: the signal of its work has aborted. @param signal how long it may take to clean up */
  abandon(reason: unknown, signal: AbortSignal): Promise<void>;
}

export interface WayOptions<T> {
  readonly options: CheckedSinkOptions<T>;
  readonly shop: Workshop;
  readonly ledger: Ledger;
  /** Aborts when the sink is abandoned. */
  readonly life: AbortSignal;
  readonly fail: (error: unknown) => void;
}
