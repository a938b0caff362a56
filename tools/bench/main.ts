/**
 * StreamWeld beside Node streams, Effect and RxJS, and its files beside what Node has for them: `pnpm bench`. What is measured, and how, is in docs/benchmarks.md.
 *
 *     --load NAME     only the loads whose names begin so; may be given several times
 *     --rounds N      rounds that count, default 9
 *     --items N       items in each run, default 1,000,000; files have more, or fewer
 *     --clock cpu     the processor time of the process instead of the time that goes by: for a busy machine
 *     --json          the figures as JSON
 *     --check         exit 1 where a ratio is below its aim
 *     --in-process    all loads in this process, not each in one of its own
 *     --memory        the memory that files take; it is measured too where no load is named
 */

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { Load } from './load.ts';
import { LOADS } from './loads.ts';
import { measureMemory, memoryMisses, memoryTable, runCase } from './memory.ts';
import { CLOCKS, measure, type Method } from './measure.ts';
import { misses, summarise, type Summary, table } from './summary.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    load: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '9' },
    items: { type: 'string', default: '1000000' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    'in-process': { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    'memory-of': { type: 'string' },
  },
});

if (values['memory-of'] !== undefined) {
  const [from, to] = positionals as [string, string];
  process.stdout.write(String(await runCase(values['memory-of'], from, to)));
  process.exit();
}

const method: Method = {
  items: count('items', values.items),
  rounds: count('rounds', values.rounds),
  warmUps: 8,
  clock: clockOf(values.clock),
};
const loads = values.load === undefined ? (values.memory ? [] : LOADS) : values.load.flatMap(loadsOf);
if (!values.json)
  console.log(
    `${method.items} items, ${method.rounds} rounds, ${method.clock} clock, Node ${process.version}\n`,
  );

const summaries: Summary[] = [];
for (const load of loads) {
  const summary = values['in-process'] ? summarise(await measure(load, method)) : inChild(load);
  summaries.push(summary);
  if (!values.json) console.log(table(summary));
}
const isWhole = values.load === undefined && !values['in-process'];
const memory =
  values.memory || isWhole ? await measureMemory(Math.ceil(method.items / 2), import.meta.filename) : [];
if (values.json)
  console.log(JSON.stringify({ node: process.version, ...method, summaries, memory }, undefined, 2));
else if (memory.length > 0) console.log(memoryTable(memory));

if (values.check) {
  for (const miss of [...misses(summaries), ...memoryMisses(memory)]) {
    console.error(`below its aim: ${miss}`);
    process.exitCode = 1;
  }
}

/** A process of its own: what one load taught the compiler is nothing to the next, and their order does not matter. */
function inChild(load: Load): Summary {
  const options = ['--in-process', '--json', '--load', load.name];
  const sizes = ['--rounds', String(method.rounds), '--items', String(method.items), '--clock', method.clock];
  const { status, stdout } = spawnSync(
    process.execPath,
    [...process.execArgv, import.meta.filename, ...options, ...sizes],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Error(`The load ${load.name} failed.`);
  const [summary] = (JSON.parse(stdout) as { summaries: [Summary] }).summaries;
  return summary;
}

function clockOf(name: string): Method['clock'] {
  if (name in CLOCKS) return name as Method['clock'];
  throw new Error(`There is no clock '${name}'. There are ${Object.keys(CLOCKS).join(', ')}.`);
}

function loadsOf(name: string): Load[] {
  const found = LOADS.filter((load) => load.name === name);
  if (found.length > 0) return found;
  const begin = LOADS.filter((load) => load.name.startsWith(name));
  if (begin.length > 0) return begin;
  throw new Error(`There is no load '${name}'. There are ${LOADS.map((load) => load.name).join(', ')}.`);
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`--${option} must be a whole number from 1 on, got '${text}'.`);
}
