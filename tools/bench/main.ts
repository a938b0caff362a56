/**
 * StreamWeld beside Node streams, Effect and RxJS: `pnpm bench`. What is measured, and how, is in docs/benchmarks.md.
 *
 *     --load NAME     only this load; may be given several times
 *     --rounds N      rounds that count, default 9
 *     --items N       integers in each run, default 1,000,000
 *     --clock cpu     the processor time of the process instead of the time that goes by: for a busy machine
 *     --json          the figures as JSON
 *     --check         exit 1 where a ratio is below its aim
 *     --in-process    all loads in this process, not each in one of its own
 */

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { Load } from './load.ts';
import { LOADS } from './loads.ts';
import { CLOCKS, measure, type Method } from './measure.ts';
import { misses, summarise, type Summary, table } from './summary.ts';

const { values } = parseArgs({
  options: {
    load: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '9' },
    items: { type: 'string', default: '1000000' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    'in-process': { type: 'boolean', default: false },
  },
});

const method: Method = {
  items: count('items', values.items),
  rounds: count('rounds', values.rounds),
  warmUps: 8,
  clock: clockOf(values.clock),
};
const loads = values.load === undefined ? LOADS : values.load.map(loadOf);
if (!values.json)
  console.log(
    `${method.items} integers, ${method.rounds} rounds, ${method.clock} clock, Node ${process.version}\n`,
  );

const summaries: Summary[] = [];
for (const load of loads) {
  const summary = values['in-process'] ? summarise(await measure(load, method)) : inChild(load);
  summaries.push(summary);
  if (!values.json) console.log(table(summary));
}
if (values.json) console.log(JSON.stringify({ node: process.version, ...method, summaries }, undefined, 2));

if (values.check) {
  for (const miss of misses(summaries)) {
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

function loadOf(name: string): Load {
  const load = LOADS.find((other) => other.name === name);
  if (load !== undefined) return load;
  throw new Error(`There is no load '${name}'. There are ${LOADS.map((other) => other.name).join(', ')}.`);
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`--${option} must be a whole number from 1 on, got '${text}'.`);
}
