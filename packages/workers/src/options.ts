/** What a stage on threads can be told, checked when it is given. */

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { isAbsolute } from 'node:path';
import type { MessagePort, ResourceLimits } from 'node:worker_threads';
import {
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';

/**
 * What can be moved to a thread: an ArrayBuffer, a MessagePort, and others; of a view, its buffer.
 *
 * By what takes it: its own name is `TransferListItem` in the types of Node 20 and 22 and no more in those of 26.
 */
export type Transferable = NonNullable<Parameters<MessagePort['postMessage']>[1]>[number];

export interface WorkersOptions<I = unknown> {
  /** How many threads there are at most; each is started when there is work for it. Default: one for each processor. */
  readonly threads?: number | undefined;
  /**
   * The most items that are sent to a thread at once. Default 100. What comes is shared out to the threads all the same:
   * twelve items for two threads are four batches of three. Give 1 where an item is a whole task of its own, such as a
   * file to convert.
   */
  readonly batchSize?: number | undefined;
  /**
   * What the function takes: `'item'`, the default, one after the other; or `'batch'`, all that were sent together, for
   * which it answers an array of any length.
   */
  readonly takes?: 'item' | 'batch' | undefined;
  /** How often an item is tried for which the function throws, the first time included. Default 1. */
  readonly attempts?: number | undefined;
  /**
   * What of an item is moved to the thread instead of copied: its ArrayBuffers, or views of them. The item has them no more
   * then: neither whoever else holds it, nor a dead letter. Not together with `attempts` above 1.
   */
  readonly transfer?: ((item: I) => readonly (Transferable | ArrayBufferView)[]) | undefined;
  /** Given to every call as `context.data`: settings, the same for all. Copied once to each thread. */
  readonly data?: unknown;
  /**
   * The bounds of each thread: `{ maxOldGenerationSizeMb: 256 }`, 16 at least. A thread beyond them dies, and another is
   * started.
   */
  readonly resourceLimits?: ResourceLimits | undefined;
  /** Node's options for the threads: `['--import', './setup.js']`. Default: those of the process. */
  readonly execArgv?: readonly string[] | undefined;
  /**
   * How long a thread may take for what was sent at once, its start included, in milliseconds: then it is ended, also in the
   * midst of a loop without end. Default: as long as it takes.
   */
  readonly timeoutMs?: number | undefined;
  /** How long calls may go on after an abort before their thread is ended, in milliseconds. Default 200. */
  readonly graceMs?: number | undefined;
  /** Shown in snapshots and errors. Default `'workers'`. */
  readonly name?: string | undefined;
}

/** The options, checked, with their defaults. */
export interface Settings {
  readonly module: URL;
  readonly threads: number;
  readonly batchSize: number;
  readonly takes: 'item' | 'batch';
  readonly attempts: number;
  readonly transfer: ((item: never) => readonly (Transferable | ArrayBufferView)[]) | undefined;
  readonly data: unknown;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly timeoutMs: number | undefined;
  readonly graceMs: number;
  readonly name: string;
}

const KNOWN = [
  'threads',
  'batchSize',
  'takes',
  'attempts',
  'transfer',
  'data',
  'resourceLimits',
  'execArgv',
  'timeoutMs',
  'graceMs',
  'name',
] as const;
/** The least of each, in MB. With less a thread may not even start, and can bring down the whole process. */
const LEAST_LIMITS = {
  maxYoungGenerationSizeMb: 1,
  maxOldGenerationSizeMb: 16,
  codeRangeSizeMb: 1,
  stackSizeMb: 1,
} as const;

/** @throws OptionError */
export function checkWorkersOptions(
  module: URL | string,
  options: WorkersOptions<never> | undefined,
): Settings {
  const given = checkOptions<WorkersOptions<never>>('inWorkers', options, KNOWN);
  const {
    threads,
    batchSize,
    takes,
    attempts,
    transfer,
    data,
    resourceLimits,
    execArgv,
    timeoutMs,
    graceMs,
    name,
  } = given;
  const checked: Settings = {
    module: checkModule(module),
    threads: threads === undefined ? availableParallelism() : checkCount('inWorkers.threads', threads),
    batchSize: checkCount('inWorkers.batchSize', batchSize ?? 100),
    takes: checkOneOf('inWorkers.takes', takes ?? 'item', ['item', 'batch']),
    attempts: checkCount('inWorkers.attempts', attempts ?? 1),
    transfer: transfer === undefined ? undefined : checkFunction('inWorkers.transfer', transfer),
    data: checkData(data),
    resourceLimits: checkLimits(resourceLimits),
    execArgv: checkExecArgv(execArgv),
    timeoutMs: timeoutMs === undefined ? undefined : checkTimeout(timeoutMs),
    graceMs: checkDuration('inWorkers.graceMs', graceMs ?? 200),
    name: checkText('inWorkers.name', name ?? 'workers'),
  };
  if (checked.transfer !== undefined && checked.attempts > 1) {
    throw new OptionError(
      'inWorkers.attempts',
      '1 together with transfer',
      attempts,
      'What was transferred is not here any more to be sent again.',
    );
  }
  return checked;
}

/** An address of a file: relative paths would be looked up from wherever the process was started. */
function checkModule(module: unknown): URL {
  const advice = "Write new URL('./convert.js', import.meta.url).";
  if (typeof module === 'string' && isAbsolute(module)) return builtOrSource(pathToFileURL(module));
  const isText = typeof module === 'string' && URL.canParse(module);
  const url = isText ? new URL(module) : module;
  if (url instanceof URL && url.protocol === 'file:') return builtOrSource(url);
  throw new OptionError('inWorkers module', 'a file: URL or an absolute path', module, advice);
}

/** The module, or the TypeScript that it is to be built from, where that alone is there: while an app is developed. */
function builtOrSource(module: URL): URL {
  if (!/\.[cm]?js$/.test(module.pathname) || existsSync(module)) return module;
  const source = new URL(module);
  source.pathname = module.pathname.replace(/js$/, 'ts');
  return existsSync(source) ? source : module;
}

function checkData(data: unknown): unknown {
  try {
    return structuredClone(data);
  } catch {
    throw new OptionError(
      'inWorkers.data',
      'data that can be sent to a thread',
      data,
      'Functions, and objects that hold some, cannot.',
    );
  }
}

function checkLimits(limits: ResourceLimits | undefined): ResourceLimits | undefined {
  if (limits === undefined) return undefined;
  const names = Object.keys(LEAST_LIMITS) as (keyof typeof LEAST_LIMITS)[];
  const checked = checkOptions<ResourceLimits>('inWorkers.resourceLimits', limits, names);
  for (const name of names) {
    const [value, least] = [checked[name], LEAST_LIMITS[name]];
    if (value === undefined || (typeof value === 'number' && value >= least)) continue;
    throw new OptionError(`inWorkers.resourceLimits.${name}`, `a number of MB of at least ${least}`, value);
  }
  return checked;
}

function checkTimeout(ms: number): number {
  if (checkDuration('inWorkers.timeoutMs', ms) > 0) return ms;
  throw new OptionError('inWorkers.timeoutMs', 'a duration above 0 milliseconds', ms);
}

function checkExecArgv(execArgv: readonly string[] | undefined): readonly string[] | undefined {
  if (execArgv === undefined) return undefined;
  if (Array.isArray(execArgv) && execArgv.every((each) => typeof each === 'string')) return execArgv;
  throw new OptionError('inWorkers.execArgv', 'an array of strings', execArgv);
}
