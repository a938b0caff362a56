/** What a run and a replay work with. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Database } from './database.ts';

export interface Stage {
  readonly database: Database;
  readonly shutdown: GracefulShutdown;
  /** Lines of the report. */
  readonly print: (lines: readonly string[]) => void;
}
