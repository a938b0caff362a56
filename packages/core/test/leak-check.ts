/** The leak check, hooked into Vitest. */

import { type LeakCheck, useLeakCheck as useCheck, type VirtualClock } from '@streamweld/testing';
import { afterEach, beforeEach } from 'vitest';

export { listenersOf } from '@streamweld/testing';

/** With a clock, ask for it after `useVirtualClock`: hooks that were registered later run earlier, and find it there. */
export function useLeakCheck(clock?: () => VirtualClock): LeakCheck {
  return useCheck({ beforeEach, afterEach }, { clock });
}
