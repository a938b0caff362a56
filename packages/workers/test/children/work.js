/** What tests have done in threads: an item says what becomes of it. */
import { threadId } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';

/** @import { ThreadContext } from '@streamweld/workers' */
/**
 * @typedef {{
 *   readonly n: number,
 *   readonly act?: 'throw' | 'reject' | 'throw text' | 'ours' | 'refuse' | 'final' | 'exit' | 'late throw' | 'uncaught' | 'uncaught null' | 'loop' | 'memory' | 'function',
 * }} Item
 * @typedef {{ readonly n: number, readonly thread: number }} Result
 */

/**
 * @param {Item} item
 * @param {ThreadContext} context
 * @returns {Promise<Result> | Result}
 */
export default function work({ n, act }, { refuse }) {
  switch (act) {
    case 'throw':
      throw Object.assign(new TypeError(`no ${n}`, { cause: new Error('the reason') }), { code: 'E_ODD' });
    case 'reject':
      return Promise.reject(new RangeError(`not ${n}`));
    case 'throw text':
      throw 'a text';
    case 'refuse':
      refuse(0, new Error(`refused ${n}`));
      return { n, thread: threadId };
    case 'ours':
      throw Object.assign(new Error('one of ours'), {
        code: 'SW_FORMAT_INVALID_JSON',
        stage: 'parse',
        details: { record: n },
        [Symbol.for('streamweld.error')]: true,
      });
    case 'final':
      throw Object.assign(new Error(`never ${n}`), { retryable: false });
    case 'exit':
      process.exit(3);
    case 'uncaught':
      setTimeout(() => {
        throw new Error('nobody caught it');
      }, 0);
      return sleep(1e6).then(() => ({ n, thread: threadId }));
    case 'uncaught null':
      void Promise.reject(null);
      return sleep(1e6).then(() => ({ n, thread: threadId }));
    case 'loop':
      for (;;);
    case 'late throw':
      setTimeout(() => {
        throw new Error('after its answer');
      }, 20);
      return { n, thread: threadId };
    case 'memory': {
      const all = [];
      for (;;) all.push(new Array(1000).fill(n));
    }
    case 'function':
      // @ts-expect-error It cannot be sent.
      return { n, thread: threadId, call: () => n };
    default:
      return { n, thread: threadId };
  }
}
