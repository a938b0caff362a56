/** What is handed to a window is checked at its door. */

import { OptionError, type Watchable } from '@streamweld/core';

const METHODS = ['snapshot', 'observe', 'behind'] as const;

/** By its shape: it may come from another copy of the package. @throws OptionError */
export function checkWatchable(option: string, value: unknown): Watchable {
  const shape = value as Record<string, unknown> | null | undefined;
  if (
    typeof shape === 'object' &&
    shape !== null &&
    METHODS.every((name) => typeof shape[name] === 'function')
  )
    return value as Watchable;
  throw new OptionError(option, 'a ConcurrentPipeline or a dispatcher', value);
}
