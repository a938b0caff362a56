/** The five ways that are compared: what each does, and how fast it could be. */

export const MODES = ['sequential', 'concurrent', 'broadcast', 'demand', 'partition'] as const;
export type Mode = (typeof MODES)[number];

/** What each does, in a line. */
export const RULES: Readonly<Record<Mode, string>> = {
  sequential: 'read an item, write it, read the next',
  concurrent: 'source and sink at once, a buffer between them',
  broadcast: 'every item to every sink',
  demand: 'each item to the sink with the most free demand',
  partition: 'each item to the sink of its key',
};

/** Those with a single sink, which is the first. */
export function hasOneSink(mode: Mode): boolean {
  return mode === 'sequential' || mode === 'concurrent';
}

export interface Load {
  /** Of the source, for an item, in milliseconds. */
  readonly sourceMs: number;
  /** Of each sink, for an item, in milliseconds, with the items that it was given. */
  readonly sinks: readonly { readonly ms: number; readonly items: number }[];
  /** Items of the source. */
  readonly items: number;
}

/** The least time, in milliseconds, that a mode can take with these speeds: what is measured is held against it. */
export function leastMs(mode: Mode, { sourceMs, sinks, items }: Load): number {
  const source = items * sourceMs;
  const slowest = Math.max(...sinks.map((sink) => sink.items * sink.ms));
  if (mode === 'sequential') return source + slowest;
  if (mode !== 'demand') return Math.max(source, slowest);
  const perMs = sinks.reduce((sum, { ms }) => sum + 1 / ms, 0);
  return Math.max(source, items / perMs);
}
