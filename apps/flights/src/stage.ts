/** What every act plays with. */

import type { Database } from './database.ts';
import type { Progress } from './progress.ts';
import type { Stop } from './stop.ts';

export interface Stage {
  /** Only so many flights. */
  readonly limit: number;
  /** The folder that the files go to. */
  readonly folder: string;
  /** Missing where the demo is run without Postgres. */
  readonly database: Database | undefined;
  /** Slows one sink of each act. */
  readonly slow: boolean;
  readonly progress: Progress;
  readonly stop: Stop;
}
