/** What every act plays with. */

import type { GracefulShutdown } from '@streamweld/core';
import type { AlertsTopic } from './alerts-topic.ts';
import type { Database } from './database.ts';
import type { FlightsArchive } from './flights-archive.ts';
import type { Progress } from './progress.ts';

export interface Stage {
  /** Only so many flights. */
  readonly limit: number;
  /** The folder that the files go to. */
  readonly folder: string;
  /** Missing where the demo is run without Postgres. */
  readonly database: Database | undefined;
  /** Missing where the demo is run without Kafka. */
  readonly alerts: AlertsTopic | undefined;
  /** Missing where the demo is run without S3. */
  readonly archive: FlightsArchive | undefined;
  /** Slows one sink of each act. */
  readonly slow: boolean;
  readonly progress: Progress;
  readonly shutdown: GracefulShutdown;
}
