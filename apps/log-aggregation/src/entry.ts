/** What a line of a log says, whatever it was written by. */

/** From the quietest on. `unknown`: of a line that does not tell, or that nobody understands. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'unknown'] as const;

export type Level = (typeof LEVELS)[number];

export interface Entry {
  /** `access.log:17`: unlike that of any other entry of a run. */
  readonly id: string;
  /** The log it comes from, by a short name. */
  readonly log: string;
  /** From 1 on. */
  readonly line: number;
  /** Who wrote it: as good as a name of a folder. */
  readonly service: string;
  readonly level: Level;
  /** Milliseconds since 1970; null where it does not tell. */
  readonly at: number | null;
  /** What can be searched for. */
  readonly text: string;
  /** The answer that it tells of, as HTTP has them. */
  readonly status?: number;
  /** How long it took. */
  readonly ms?: number;
  /** The line as it was. */
  readonly raw: string;
}
