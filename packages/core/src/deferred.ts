/** A promise with its handles outside. It counts as handled from birth: whoever awaits it still sees a rejection. */
export class Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    ignoreRejection(this.promise);
  }
}

/** For a promise whose rejection reaches its people another way. */
export function ignoreRejection(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => {});
}

/** Tests before awaiting: an `await` of a plain value costs as much as ten calls. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
