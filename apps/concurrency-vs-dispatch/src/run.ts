/** Runs an experiment to its end, and says what it came to. */

import type { GracefulShutdown, RunReport } from '@streamweld/core';
import { explain } from './explain.ts';
import { leastMs, type Mode } from './modes.ts';
import type { Experiment } from './pipeline.ts';
import { type Proof, prove } from './proof.ts';
import { changeOf, read } from './reading.ts';

export interface Result {
  readonly mode: Mode;
  readonly outcome: RunReport['outcome'];
  /** Items that the source handed out, and of them those that each sink was given. */
  readonly items: number;
  readonly shares: readonly number[];
  readonly durationMs: number;
  /** The least that these items could take with the speeds that held at the end. */
  readonly leastMs: number;
  readonly explanation: string;
  readonly proof: Proof;
}

/** @throws StreamWeldError where the run fails, SW_PROGRAM_INTERRUPTED after a second Ctrl-C */
export async function perform(experiment: Experiment, shutdown: GracefulShutdown): Promise<Result> {
  const { mode, source, sinks, pipeline } = experiment;
  const { outcome, durationMs } = await shutdown.run(pipeline);
  const end = read(experiment);
  const shares = sinks.map(({ notes }) => notes.count);
  return {
    mode,
    outcome,
    items: source.made,
    shares,
    durationMs,
    leastMs: leastMs(mode, {
      sourceMs: source.pace.costMs,
      sinks: sinks.map(({ pace }, at) => ({ ms: pace.costMs, items: shares[at] as number })),
      items: source.made,
    }),
    explanation: explain(end, changeOf(end)),
    proof: prove(
      mode,
      source.made,
      sinks.map(({ notes }) => notes),
    ),
  };
}
