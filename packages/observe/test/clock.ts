/** The virtual clock, hooked into Vitest. */

import {
  useVirtualClock as useClock,
  type VirtualClock,
  type VirtualClockOptions,
} from '@streamweld/testing';
import { afterEach, beforeEach } from 'vitest';

export function useVirtualClock(options?: VirtualClockOptions): () => VirtualClock {
  return useClock({ beforeEach, afterEach }, options);
}
