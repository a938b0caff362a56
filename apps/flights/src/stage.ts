/** What every act plays with. */

import type { Progress } from './progress.ts';
import type { Stop } from './stop.ts';

export interface Stage {
  /** Only so many flights. */
  readonly limit: number;
  /** The folder that the files go to. */
  readonly folder: string;
  /** Slows one sink of each act. */
  readonly slow: boolean;
  readonly progress: Progress;
  readonly stop: Stop;
}
