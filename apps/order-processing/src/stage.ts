/** What a run and a replay work with. */

import type { Database } from './database.ts';
import type { Stop } from './stop.ts';

export interface Stage {
  readonly database: Database;
  readonly stop: Stop;
  /** Lines of the report. */
  readonly print: (lines: readonly string[]) => void;
}
