/** A store that goes with its process: from one moment on nothing of what its sink asks for arrives any more. */

import { onAbort } from '@streamweld/core/connector';
import type { S3Store } from '../src/client.ts';
import { openStore } from '../src/open-store.ts';
import { checkReach, type ReachOptions } from '../src/options.ts';

export class Killable {
  readonly store: S3Store;
  readonly #death = new AbortController();

  constructor(reach: ReachOptions) {
    const alive = openStore(checkReach(reach, 'to be killed'));
    const guard = <A extends unknown[], R>(call: (...given: [...A, AbortSignal]) => Promise<R>) => {
      return async (...given: [...A, AbortSignal]): Promise<R> => {
        const signal = given.pop() as AbortSignal;
        this.#death.signal.throwIfAborted();
        const either = new AbortController();
        const forget = [signal, this.#death.signal].map((each) =>
          onAbort(each, (reason) => either.abort(reason)),
        );
        try {
          return await call(...(given as unknown as A), either.signal);
        } finally {
          for (const each of forget) each();
        }
      };
    };
    this.store = {
      list: guard(alive.list.bind(alive)),
      head: guard(alive.head.bind(alive)),
      // Its body is read in the same turn, or not at all.
      get: guard(alive.get.bind(alive)),
      put: guard(alive.put.bind(alive)),
      createUpload: guard(alive.createUpload.bind(alive)),
      uploadPart: guard(alive.uploadPart.bind(alive)),
      completeUpload: guard(alive.completeUpload.bind(alive)),
      abortUpload: guard(alive.abortUpload.bind(alive)),
      uploads: guard(alive.uploads.bind(alive)),
      delete: guard(alive.delete.bind(alive)),
      tag: guard(alive.tag.bind(alive)),
      close: () => alive.close(),
    };
    this.close = () => alive.close();
  }

  readonly close: () => void;

  /** Whatever is under way loses its connection; it may have arrived. */
  kill(): void {
    this.#death.abort(new Error('killed'));
    this.close();
  }
}
