/** The table: one mode after the other, with the same items and the same speeds. */

import type { GracefulShutdown } from '@streamweld/core';
import { progress } from '@streamweld/observe/progress';
import { type Arguments, TABLE_ITEMS } from './arguments.ts';
import { MODES } from './modes.ts';
import type { Page } from './page.ts';
import { build } from './pipeline.ts';
import { perform, type Result } from './run.ts';
import { explanationLines, headline, proofLines, tableLines } from './table.ts';
import { columns } from './terminal.ts';

export interface Outcome {
  /** Every proof. */
  readonly holds: boolean;
  /** By a Ctrl-C, before everything was shown. */
  readonly isStopped: boolean;
}

/** @throws StreamWeldError where a run fails, SW_PROGRAM_INTERRUPTED after a second Ctrl-C */
export async function compare(given: Arguments, page: Page, shutdown: GracefulShutdown): Promise<Outcome> {
  const { modes = MODES, items = TABLE_ITEMS } = given;
  const settings = { ...given.settings, items };
  print(headline(settings, columns()));
  const results: Result[] = [];
  for (const mode of modes) {
    if (shutdown.isWanted) break;
    const experiment = await build(mode, settings);
    page.show(experiment.pipeline);
    using _ = progress(experiment.pipeline, { mode: given.progress, total: items, report: false });
    results.push(await perform(experiment, shutdown));
  }
  if (results.length > 0) {
    print(tableLines(results));
    print(['What one sees', ...explanationLines(results, columns())]);
    print(['Proofs', ...proofLines(results, columns())]);
  }
  if (shutdown.isWanted)
    print(['Stopped before the end: of what was read until then nothing is missing above.']);
  return { holds: results.every(({ proof }) => proof.holds), isStopped: shutdown.isWanted };
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n\n`);
}
