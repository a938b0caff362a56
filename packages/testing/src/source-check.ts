/** Making a check of a source: what it seeds, and what it does at the bench. */

import type { Awaitable } from '@streamweld/core';
import { atBench, type SourceBench } from './source-bench.ts';
import type { AnySeededPlace, AnySourceHarness } from './source-harness.ts';
import type { Check } from './suite.ts';

export type SourceCheck = Check<AnySourceHarness>;

export interface SourceCheckOptions {
  readonly applies?: ((harness: AnySourceHarness) => boolean) | undefined;
  /** How many items, or which place. Default: the count of the harness. */
  readonly seed?: number | ((harness: AnySourceHarness) => Awaitable<AnySeededPlace>) | undefined;
}

export function sourceCheck(
  rule: string,
  sentence: string,
  body: (bench: SourceBench) => Promise<void>,
  { applies, seed }: SourceCheckOptions = {},
): SourceCheck {
  return { rule, sentence, applies, run: (harness) => atBench(harness, seed, body) };
}

/** Positions are asked for of a source whose author says that there are absurd ones. */
export const hasPositions = (harness: AnySourceHarness): boolean => harness.absurdPositions !== undefined;

/** It never ends. */
export const isEndless = (harness: AnySourceHarness): boolean => harness.grow !== undefined;
