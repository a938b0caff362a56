/** Whether a mode kept its promise: what the sinks noted, held against what the source made. */

import { hasOneSink, type Mode } from './modes.ts';
import type { Notes } from './notes.ts';

export interface Proof {
  readonly holds: boolean;
  readonly says: string;
}

/** @param made items that the source handed out, with ids from 0 on */
export function prove(mode: Mode, made: number, sinks: readonly Notes[]): Proof {
  const faults: string[] = [];
  const count = (number: number, what: string) => {
    if (number > 0) faults.push(`${number} ${what}`);
  };
  // Of a broadcast each sink is held to it, of the others all of them together.
  const groups = mode === 'broadcast' ? sinks.map((sink) => [sink]) : [sinks];
  const tallies = groups.map((group) => tally(made, group));
  count(sum(tallies.map(({ lost }) => lost)), 'lost');
  count(sum(tallies.map(({ doubled }) => doubled)), 'doubled');
  count(sum(tallies.map(({ unknown }) => unknown)), 'never made');
  if (hasOneSink(mode) || mode === 'broadcast')
    count(sum(sinks.map((sink) => sink.outOfOrder)), 'out of order');
  if (mode === 'partition') {
    count(sum(sinks.map((sink) => sink.outOfKeyOrder)), 'out of the order of their key');
    count(strayKeys(sinks), 'of the keys at more than one sink');
  }
  return {
    holds: faults.length === 0,
    says: faults.length === 0 ? promise(mode, sinks) : faults.join(', '),
  };
}

/** What held. */
function promise(mode: Mode, sinks: readonly Notes[]): string {
  const many = `${sinks.length} sink${sinks.length === 1 ? '' : 's'}`;
  if (mode === 'broadcast') return `each at every one of ${many}, once, in order`;
  if (mode === 'demand') return `each once in all, at one of ${many}`;
  if (mode === 'partition') {
    const keys = new Set(sinks.flatMap((sink) => sink.keys)).size;
    return `each once, ${keys} keys, each at one of ${many}, in order`;
  }
  return 'each once, in order';
}

interface Tally {
  lost: number;
  doubled: number;
  unknown: number;
}

function tally(made: number, group: readonly Notes[]): Tally {
  const result = { lost: 0, doubled: 0, unknown: 0 };
  const end = Math.max(made, ...group.map((sink) => sink.end));
  for (let id = 0; id < end; id++) {
    let times = 0;
    for (const sink of group) times += sink.timesOf(id);
    if (id >= made) result.unknown += times;
    else if (times === 0) result.lost += 1;
    else if (times > 1) result.doubled += 1;
  }
  return result;
}

function strayKeys(sinks: readonly Notes[]): number {
  const homes = new Map<string, number>();
  for (const sink of sinks) for (const key of sink.keys) homes.set(key, (homes.get(key) ?? 0) + 1);
  return [...homes.values()].filter((times) => times > 1).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
