/** CPU-bound stages of StreamWeld on worker threads. */

export { type BatchFunction, inWorkers, type ItemFunction, type ThreadContext } from './in-workers.ts';
export type { Transferable, WorkersOptions } from './options.ts';
export { WORKERS_ERROR_CODES, WorkersError, type WorkersErrorCode } from './errors.ts';
