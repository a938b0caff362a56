/** What can go wrong with threads, as errors of ours: the one table of codes. */

import { StreamWeldError } from '@streamweld/core/connector';

/** The one table of codes of this package. */
export const WORKERS_ERROR_CODES = {
  SW_WORKERS_MODULE_MISSING: 'There is no such module.',
  SW_WORKERS_MODULE_TYPESCRIPT: 'The module, or one that it imports, is TypeScript that a thread cannot run.',
  SW_WORKERS_MODULE_FAILED: 'The module could not be loaded.',
  SW_WORKERS_MODULE_NO_FUNCTION: 'The default export of the module is no function.',
  SW_WORKERS_START_FAILED: 'A thread could not be started.',
  SW_WORKERS_THREAD_EXITED: 'A thread was left by process.exit.',
  SW_WORKERS_THREAD_CRASHED: 'A thread died of an error that nobody caught.',
  SW_WORKERS_OUT_OF_MEMORY: 'A thread had no memory left.',
  SW_WORKERS_TIMEOUT: 'A thread took longer than it was given, and was ended.',
  SW_WORKERS_ITEMS_LOST: 'A thread died with items in it that had been transferred.',
  SW_WORKERS_ITEM_UNCLONEABLE: 'An item cannot be sent to a thread.',
  SW_WORKERS_RESULT_UNCLONEABLE: 'What a function answered cannot be sent back.',
  SW_WORKERS_RESULT_INVALID: 'A function of a batch answered something else than an array.',
} as const;

export type WorkersErrorCode = keyof typeof WORKERS_ERROR_CODES;

/** A failure of threads, of their module, or of what is sent. What the function itself throws comes back as it is. */
export class WorkersError extends StreamWeldError {
  override readonly name: string = 'WorkersError';
  declare readonly code: WorkersErrorCode;

  // The codes are listed in the type, so that a misspelt one does not compile.
  constructor(
    code: WorkersErrorCode,
    message: string,
    details: ConstructorParameters<typeof StreamWeldError>[2] = {},
  ) {
    super(code, message, details);
  }
}
