/** What the program is asked to do. */

import { parseArgs } from 'node:util';
import { ArgumentError } from '@streamweld/app-kit';

const RULES = ['broadcast', 'demand', 'partition'] as const;
export type Rule = (typeof RULES)[number];

const PROGRESS = ['auto', 'tty', 'plain', 'json', 'none'] as const;

export interface Arguments {
  readonly brokers: string;
  readonly rule: Rule;
  readonly processes: number;
  readonly items: number;
  /** Whether one process is killed in the middle. */
  readonly kill: boolean;
  /** Of SHA-256, for each item: what the work is. */
  readonly rounds: number;
  /** Of what feeds the topic. */
  readonly progress: (typeof PROGRESS)[number];
}

export const USAGE = `One program as several processes, which share what comes through a topic of Kafka.

  --brokers HOST:PORT,…   where Kafka is; or STREAMWELD_KAFKA_BROKERS
  --rule RULE             broadcast, demand or partition (partition)
  --processes N           how many (3)
  --items N               how many go through (100,000)
  --work N                rounds of SHA-256 for each item (20)
  --kill                  kills one of the processes in the middle
  --progress HOW          on stderr, of what feeds them: ${PROGRESS.join(', ')} (auto)
  --help                  this text

Ctrl-C feeds no more, and what is in the topic is done and proved; a second one aborts.`;

/** @throws ArgumentError */
export function readArguments(args: readonly string[], env: NodeJS.ProcessEnv): Arguments {
  const values = parse(args);
  const rule = RULES.find((name) => name === values.rule);
  if (rule === undefined)
    throw new ArgumentError(`--rule is one of ${RULES.join(', ')}, not ${JSON.stringify(values.rule)}.`);
  const progress = PROGRESS.find((name) => name === values.progress);
  if (progress === undefined)
    throw new ArgumentError(
      `--progress is one of ${PROGRESS.join(', ')}, not ${JSON.stringify(values.progress)}.`,
    );
  const brokers = values.brokers ?? env['STREAMWELD_KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '')
    throw new ArgumentError('Say where Kafka is: --brokers localhost:9092, or STREAMWELD_KAFKA_BROKERS.');
  const processes = count('processes', values.processes, 1, 64);
  if (values.kill && (processes < 2 || rule === 'broadcast'))
    throw new ArgumentError('--kill needs a rule by which others take over, and at least two processes.');
  return {
    brokers,
    rule,
    processes,
    items: count('items', values.items, 1, 100_000_000),
    kill: values.kill,
    progress,
    rounds: count('work', values.work, 0, 1_000_000),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        brokers: { type: 'string' },
        rule: { type: 'string', default: 'partition' },
        processes: { type: 'string', default: '3' },
        items: { type: 'string', default: '100000' },
        work: { type: 'string', default: '20' },
        progress: { type: 'string', default: 'auto' },
        kill: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function count(name: string, text: string, least: number, most: number): number {
  const value = Number(text.replaceAll(',', ''));
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ArgumentError(
    `--${name} is a whole number from ${least} to ${most}, not ${JSON.stringify(text)}.`,
  );
}
