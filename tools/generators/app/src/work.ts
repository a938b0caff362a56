/** What is done with the arguments, from the first line to the proof. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { counting } from './pipeline.ts';

/** @returns whether what was counted is what came */
export async function work(
  { words }: Arguments,
  shutdown: GracefulShutdown,
  say: (line: string) => void,
): Promise<boolean> {
  const { pipeline, counts } = counting(words);
  const { read } = await shutdown.run(pipeline);
  for (const [word, count] of counts) say(`  ${word.padEnd(8)}${count}`);
  const counted = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const holds = counted === read;
  say(`${holds ? '✓' : '✗'} ${counted} of ${read} words are counted`);
  return holds;
}
