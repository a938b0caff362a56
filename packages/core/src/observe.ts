/** Who watches while items move: nobody, most of the time, and then nothing is measured. */

/** One call of a source or a sink, as it begins. */
export interface Operation {
  readonly kind: 'pull' | 'write';
  /** Of the stage or the subscription, as in the snapshot. */
  readonly id: string;
  /** Of a write: the items in it. Of a pull: the most that it may answer. */
  readonly items: number;
  /** Which time these items are written: 1 is the first. Of a pull: 1. */
  readonly attempt: number;
  /** Of a write: the items themselves, to be looked at while it begins; neither changed nor kept. */
  readonly batch?: readonly unknown[] | undefined;
}

/** What a call came to. */
export interface OperationEnd {
  /** Items that were answered or accepted. */
  readonly items: number;
  /** What it failed with; nothing, if it did not. */
  readonly error?: unknown;
  /** Of a pull that answered: the items themselves, as of a write. */
  readonly batch?: readonly unknown[] | undefined;
}

/**
 * Is told of each pull and each write when it begins, synchronously, and answers who is to be told of its end, if anybody.
 * What it throws is ignored: it can neither fail nor hold a run.
 */
export type OperationObserver = (operation: Operation) => ((end: OperationEnd) => void) | undefined;

/** What can be watched: a pipeline or a dispatcher. */
export interface Watchable {
  /** A plain object, built when asked for. */
  snapshot(): object;
  /** Watches its operations from now on. @returns what ends it */
  observe(observer: OperationObserver): () => void;
  /** Dispatchers that it passes items on to, by the id of the stage or subscription that does. */
  behind(): ReadonlyMap<string, Watchable>;
  /** Resolves when it has ended, where it has an end that can be waited for. */
  ended?(): Promise<void>;
}

/** The observers of one run or dispatcher. */
export class Observers {
  #observers: readonly OperationObserver[] = [];

  /** Asked before each operation: as long as it is `false`, nothing else is. */
  isWatched = false;

  add(observer: OperationObserver): () => void {
    // Under a name of its own: the same function may be given twice, and taken back once.
    const own: OperationObserver = (operation) => observer(operation);
    this.#set([...this.#observers, own]);
    return () => this.#set(this.#observers.filter((other) => other !== own));
  }

  #set(observers: readonly OperationObserver[]): void {
    this.#observers = observers;
    this.isWatched = observers.length > 0;
  }

  /**
   * Most observers want to hear of few operations: an operation of which nobody does must cost next to nothing.
   * @returns what is to be told of its end, if anything
   */
  began(operation: Operation): ((end: OperationEnd) => void) | undefined {
    let told: ((end: OperationEnd) => void)[] | undefined;
    for (const observer of this.#observers) {
      try {
        const ended: unknown = observer(operation);
        if (typeof ended === 'function') (told ??= []).push(ended as (end: OperationEnd) => void);
      } catch {
        // Whoever watches must not change what is watched.
      }
    }
    return told === undefined ? undefined : (end) => tell(told, end);
  }
}

function tell(told: readonly ((end: OperationEnd) => void)[], end: OperationEnd): void {
  for (const ended of told) {
    try {
      ended(end);
    } catch {
      // As above.
    }
  }
}
