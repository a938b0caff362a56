/** What is asked where nothing was said: which mode, and with which speeds. */

import { isCancel, select, text } from '@clack/prompts';
import { StreamWeldError } from '@streamweld/core';
import { readSinks, readTime } from './arguments.ts';
import { MODES, type Mode, RULES } from './modes.ts';
import { listed } from './numbers.ts';
import type { Settings } from './pipeline.ts';

export type Choice = Mode | 'all' | 'speeds' | 'end';

/** @throws StreamWeldError SW_PROGRAM_INTERRUPTED where the question is called off, by Ctrl-C or the signal */
export async function askMode({ sourceMs, sinksMs }: Settings, signal: AbortSignal): Promise<Choice> {
  const answer = await select<Choice>({
    signal,
    message: 'What do you want to see?',
    options: [
      ...MODES.map((mode) => option(mode, mode, RULES[mode])),
      option('all', 'all of them', 'one after the other, in a table'),
      option(
        'speeds',
        'other speeds',
        `now source ${sourceMs} ms, sinks ${listed(sinksMs.map(String))} ms an item`,
      ),
      option('end', 'nothing more', ''),
    ],
  });
  if (isCancel(answer)) throw new StreamWeldError('SW_PROGRAM_INTERRUPTED', 'Called off.');
  return answer;
}

/** What it is stands beside each, and not only beside the one that the cursor is on, as a hint would. */
function option(value: Choice, name: string, what: string): { value: Choice; label: string } {
  return { value, label: `${name.padEnd(14)}${what}`.trimEnd() };
}

/** @returns the settings with the speeds that were given; the same where the questions were called off */
export async function askSpeeds(settings: Settings, signal: AbortSignal): Promise<Settings> {
  const source = await text({
    signal,
    message: 'How long does an item take the source?',
    initialValue: `${settings.sourceMs}ms`,
    validate: (given) => complaint(() => readTime('--source', given ?? '')),
  });
  if (isCancel(source)) return settings;
  const sinks = await text({
    signal,
    message: 'And each sink? With commas between them.',
    initialValue: settings.sinksMs.map((ms) => `${ms}ms`).join(','),
    validate: (given) => complaint(() => readSinks(given ?? '')),
  });
  if (isCancel(sinks)) return settings;
  return { ...settings, sourceMs: readTime('--source', source), sinksMs: readSinks(sinks) };
}

function complaint(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
