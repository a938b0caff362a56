/** What threads die of, said so that it can be mended. */

import { WorkersError } from './errors.ts';
import type { Settings } from './options.ts';

/** The reason of the signal by which the pool is told to end a thread that takes too long. */
export const TIMED_OUT: unique symbol = Symbol('timed out');

/** Of a thread with a batch in it: as the pool tells it, which is the error that nobody caught, if there was one. */
export function deathOf({ name: stage, timeoutMs }: Settings, cause: unknown): WorkersError {
  const told = (cause ?? {}) as { code?: unknown; message?: unknown; cause?: unknown };
  if (told.cause === TIMED_OUT) {
    return new WorkersError(
      'SW_WORKERS_TIMEOUT',
      `A thread of '${stage}' was ended because it took longer than ${timeoutMs} ms (timeoutMs), with this item alone. Give it longer, or look at what the function is given.`,
      { stage },
    );
  }
  if (told.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new WorkersError(
      'SW_WORKERS_OUT_OF_MEMORY',
      `A thread of '${stage}' had no memory left while it worked on this item alone. Give it more by resourceLimits.maxOldGenerationSizeMb, or make the item smaller.`,
      { stage, cause },
    );
  }
  const exit = /^worker exited with code: (\d+)$/.exec(String(told.message));
  if (exit !== null) {
    return new WorkersError(
      'SW_WORKERS_THREAD_EXITED',
      `A thread of '${stage}' was left with exit code ${exit[1]} while it worked on this item alone. Throw an error instead of process.exit: it ends the item, and not the thread.`,
      { stage, cause, details: { exitCode: Number(exit[1]) } },
    );
  }
  return new WorkersError(
    'SW_WORKERS_THREAD_CRASHED',
    `A thread of '${stage}' died of an error that nobody caught, which is the cause, while it worked on this item alone. Await what the function starts, or catch what it rejects with.`,
    { stage, cause },
  );
}

/** Of a thread that had nothing to do any more. */
export function idleDeath({ name: stage }: Settings, cause: unknown): WorkersError {
  return new WorkersError(
    'SW_WORKERS_THREAD_CRASHED',
    `A thread of '${stage}' died after it had answered, of an error that nobody caught, which is the cause. Await what the function starts, or catch what it rejects with: what it left undone for items that went on is not known.`,
    { stage, cause },
  );
}

/** @param cause nothing, where a thread ended without a word. */
export function startFailure({ name: stage }: Settings, cause: unknown): WorkersError {
  return new WorkersError(
    'SW_WORKERS_START_FAILED',
    `A thread of '${stage}' ended before it could begin. Look at execArgv, at what --import and --require name, and at the memory and threads that the system allows.`,
    cause === undefined ? { stage } : { stage, cause },
  );
}
