/** What is wrong with a module, an item or a result, said so that it can be mended. No content of an item is in a message. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe } from '@streamweld/core/connector';
import { WorkersError } from './errors.ts';
import type { Answer } from './messages.ts';
import type { Settings } from './options.ts';
import { revive } from './thrown.ts';
import { isDetached } from './transfers.ts';

type Unloaded = Extract<Answer, { kind: 'unloaded' }>;

/** What Node says of TypeScript that it cannot run, or cannot run there. */
const OF_TYPESCRIPT = [
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_NO_TYPESCRIPT',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
];

export function unloaded({ module, name: stage }: Settings, { error, found }: Unloaded): WorkersError {
  const path = fileURLToPath(module);
  if (error === undefined) {
    return new WorkersError(
      'SW_WORKERS_MODULE_NO_FUNCTION',
      `${path} has no function to call: its default export is ${found === 'undefined' ? 'missing' : `of type ${found}`}. Write export default (item) => …`,
      { stage },
    );
  }
  const cause = revive(error);
  const code = error.isError ? String(error.own['code']) : '';
  if (OF_TYPESCRIPT.includes(code)) {
    return new WorkersError(
      'SW_WORKERS_MODULE_TYPESCRIPT',
      `${path}, or what it imports, is TypeScript that Node ${process.versions.node} does not run by itself. Install tsx beside it, which threads then use, or build the module and name the .js file.`,
      { stage, cause },
    );
  }
  if (!existsSync(module)) {
    return new WorkersError(
      'SW_WORKERS_MODULE_MISSING',
      `There is no file ${path}. The address is that of the built module, where the code that names it is built: ./convert.js beside it.`,
      { stage, cause },
    );
  }
  return new WorkersError(
    'SW_WORKERS_MODULE_FAILED',
    `${path} could not be loaded in a thread; its error is the cause.`,
    { stage, cause },
  );
}

export function diedLoading({ module, name: stage }: Settings, death: WorkersError): WorkersError {
  return new WorkersError(
    'SW_WORKERS_MODULE_FAILED',
    `A thread ended while it loaded ${fileURLToPath(module)}; what it ended with is the cause.`,
    { stage, cause: death.cause ?? death },
  );
}

export function invalidResult({ name: stage }: Settings, found: string): WorkersError {
  return new WorkersError(
    'SW_WORKERS_RESULT_INVALID',
    `With takes: 'batch' the function of '${stage}' answers an array, and it answered ${found}.`,
    { stage },
  );
}

export function uncloneableResult({ name: stage }: Settings, cause: unknown): WorkersError {
  return new WorkersError(
    'SW_WORKERS_RESULT_UNCLONEABLE',
    `What the function of '${stage}' answered cannot be sent back from its thread: it holds a function, or something else that cannot be copied, or transfers what it does not own any more. Answer plain data.`,
    { stage, cause },
  );
}

export function itemsLost({ name: stage }: Settings, count: number, death: WorkersError): WorkersError {
  return new WorkersError(
    'SW_WORKERS_ITEMS_LOST',
    `A thread of '${stage}' died with ${count} items in it that had been transferred, and are nowhere else. No position moved past them: run again to go on from there, or leave out transfer.`,
    { stage, cause: death },
  );
}

/** Nothing, where the item can be sent. */
export function faultOfSending({ name: stage }: Settings, item: unknown): WorkersError | undefined {
  const fault = findFault(item, '');
  if (fault === undefined) return undefined;
  const { path, value } = fault;
  const what = isDetached(ArrayBuffer.isView(value) ? value.buffer : value)
    ? 'bytes that were moved away before'
    : `${describe(value)}, which cannot be copied`;
  return new WorkersError(
    'SW_WORKERS_ITEM_UNCLONEABLE',
    `An item cannot be sent to a thread of '${stage}': ${path === '' ? 'it is' : `at ${path} it has`} ${what}. Map it to plain data before.`,
    { stage, details: { path } },
  );
}

export function faultOfTransfer({ name: stage }: Settings, cause: unknown): WorkersError {
  return new WorkersError(
    'SW_WORKERS_ITEM_UNCLONEABLE',
    `A batch cannot be sent to a thread of '${stage}': what transfer names cannot be moved, or was moved before; the error is the cause.`,
    { stage, cause },
  );
}

/** How deep an item is looked into. */
const MAX_DEPTH = 20;

/** The innermost value that cannot be copied, and the way to it. */
function findFault(value: unknown, path: string, depth = 0): { path: string; value: unknown } | undefined {
  try {
    structuredClone(value);
    return undefined;
  } catch {
    if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
      for (const [key, each] of Object.entries(value)) {
        const inner = findFault(each, path === '' ? key : `${path}.${key}`, depth + 1);
        if (inner !== undefined) return inner;
      }
    }
    return { path, value };
  }
}
