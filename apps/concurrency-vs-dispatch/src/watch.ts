/** In a terminal: asks what to show, shows it, and asks again, until there was enough. */

import type { Arguments } from './arguments.ts';
import { compare, type Outcome } from './compare.ts';
import { Live } from './live.ts';
import type { Mode } from './modes.ts';
import { seconds, whole } from './numbers.ts';
import type { Page } from './page.ts';
import type { Settings } from './pipeline.ts';
import { askMode, askSpeeds } from './questions.ts';
import type { Result } from './run.ts';
import { Stop } from './stop.ts';
import { explanationLines, proofLines, shareText } from './table.ts';
import { columns } from './terminal.ts';

/** Who watches ends it; this is long after that. */
const WITHOUT_END = 1_000_000;

/** @throws Interrupted after a second Ctrl-C, or where the question is called off; StreamWeldError where a run fails */
export async function watch(given: Arguments, page: Page): Promise<Outcome> {
  let settings: Settings = { ...given.settings, items: given.items ?? WITHOUT_END };
  const [asked] = given.modes ?? [];
  if (asked !== undefined) return show(settings, asked, page);
  let holds = true;
  for (;;) {
    const choice = await askMode(settings);
    if (choice === 'end') return { holds, isStopped: false };
    if (choice === 'speeds') {
      settings = await askSpeeds(settings);
      continue;
    }
    const shown: Shown =
      choice === 'all'
        ? { ...(await compare({ ...given, settings }, page)), settings }
        : await show(settings, choice, page);
    settings = shown.settings;
    holds &&= shown.holds;
    if (shown.isStopped) return { holds, isStopped: true };
  }
}

interface Shown extends Outcome {
  /** With the speeds as they were left. */
  readonly settings: Settings;
}

async function show(settings: Settings, mode: Mode, page: Page): Promise<Shown> {
  using stop = new Stop((line) => live.say(line));
  const live = new Live(settings, stop, page);
  let results: Result[];
  try {
    results = await live.watch(mode);
  } finally {
    live.close();
  }
  console.log(resultLines(results).join('\n'));
  return {
    holds: results.every(({ proof }) => proof.holds),
    settings: live.settings,
    isStopped: stop.isWanted,
  };
}

function resultLines(results: readonly Result[]): string[] {
  return [
    ...results.map(
      (result) =>
        `${result.mode}: ${whole(result.items)} items in ${seconds(result.durationMs)}, ${shareText(result)} at the sinks`,
    ),
    ...explanationLines(results, columns()),
    ...proofLines(results, columns()),
    '',
  ];
}
