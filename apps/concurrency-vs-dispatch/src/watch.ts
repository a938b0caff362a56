/** In a terminal: asks what to show, shows it, and asks again, until there was enough. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { compare, type Outcome } from './compare.ts';
import { Live } from './live.ts';
import type { Mode } from './modes.ts';
import { seconds, whole } from './numbers.ts';
import type { Page } from './page.ts';
import type { Settings } from './pipeline.ts';
import { askMode, askSpeeds } from './questions.ts';
import type { Result } from './run.ts';
import { explanationLines, proofLines, shareText } from './table.ts';
import { columns } from './terminal.ts';
import type { Voice } from './voice.ts';

/** Who watches ends it; this is long after that. */
const WITHOUT_END = 1_000_000;

/** @throws StreamWeldError where a run fails, SW_PROGRAM_INTERRUPTED after a second Ctrl-C, or where a question is called off */
export async function watch(
  given: Arguments,
  page: Page,
  shutdown: GracefulShutdown,
  voice: Voice,
): Promise<Outcome> {
  let settings: Settings = { ...given.settings, items: given.items ?? WITHOUT_END };
  const [asked] = given.modes ?? [];
  if (asked !== undefined) return show(settings, asked, page, shutdown, voice);
  let holds = true;
  for (;;) {
    const choice = await asking(shutdown, (signal) => askMode(settings, signal));
    if (choice === 'end') return { holds, isStopped: false };
    if (choice === 'speeds') {
      const before = settings;
      settings = await asking(shutdown, (signal) => askSpeeds(before, signal));
      continue;
    }
    const shown: Shown =
      choice === 'all'
        ? { ...(await compare({ ...given, settings }, page, shutdown)), settings }
        : await show(settings, choice, page, shutdown, voice);
    settings = shown.settings;
    holds &&= shown.holds;
    if (shown.isStopped) return { holds, isStopped: true };
  }
}

interface Shown extends Outcome {
  /** With the speeds as they were left. */
  readonly settings: Settings;
}

async function show(
  settings: Settings,
  mode: Mode,
  page: Page,
  shutdown: GracefulShutdown,
  voice: Voice,
): Promise<Shown> {
  const live = new Live(settings, shutdown, page);
  let results: Result[];
  try {
    results = await voice.during(
      (line) => live.say(line),
      () => live.watch(mode),
    );
  } finally {
    live.close();
  }
  console.log(resultLines(results).join('\n'));
  return {
    holds: results.every(({ proof }) => proof.holds),
    settings: live.settings,
    isStopped: shutdown.isWanted,
  };
}

/** A signal calls the question off, as Ctrl-C does, which is a key there. */
function asking<R>(shutdown: GracefulShutdown, ask: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const off = new AbortController();
  return shutdown.while({ drain: () => off.abort() }, () => ask(off.signal));
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
