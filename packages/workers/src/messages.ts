/**
 * What crosses between the pool and its threads. `thread.cjs` is written in JavaScript, because Node 20 starts no other,
 * and is checked against these types.
 */

/** What every thread is started with. */
export interface ThreadData {
  /** The address of the user's module. */
  readonly module: string;
  readonly takes: 'item' | 'batch';
  /** What the user gives every call. */
  readonly data: unknown;
  /** Shared by all: see `IS_ABORTED` and `MODULES_LOADED`. */
  readonly control: Int32Array<SharedArrayBuffer>;
}

/** Where `control` holds 1 once the run was aborted. */
export const IS_ABORTED = 0;
/** Where `control` counts the threads that have loaded the module. */
export const MODULES_LOADED = 1;

/** A batch on its way to a thread. */
export interface Task {
  readonly id: number;
  readonly items: readonly unknown[];
}

/** What a thread made of it, sent before it is ready for the next. */
export type Answer = Done | Failed | Unloaded | Invalid;

interface Done {
  readonly id: number;
  readonly kind: 'done';
  /** What became of the items that were not refused, in their order; of a function of batches, all it answered. */
  readonly results: readonly unknown[];
  readonly refused: readonly RefusedItem[];
}

export interface RefusedItem {
  readonly index: number;
  readonly error: ThrownInThread;
  /** What the item became cannot be sent back. */
  readonly isUncloneable?: boolean;
}

/** A function of batches threw: any of its items may be the reason. */
interface Failed {
  readonly id: number;
  readonly kind: 'failed';
  readonly error: ThrownInThread;
  readonly isUncloneable?: boolean;
}

/** The module could not be loaded, or has no function. */
interface Unloaded {
  readonly id: number;
  readonly kind: 'unloaded';
  /** None where it was loaded, and its default export is no function but of this type. */
  readonly error?: ThrownInThread;
  readonly found?: string;
}

interface Invalid {
  readonly id: number;
  readonly kind: 'invalid';
  readonly found: string;
}

/** Whatever was thrown, taken apart: a clone of an Error would lose its code, and its class. */
export type ThrownInThread =
  | { readonly isError: false; readonly value: unknown }
  | {
      readonly isError: true;
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      /** Its own properties that can be sent, `code` among them. */
      readonly own: Readonly<Record<string, unknown>>;
      readonly cause?: ThrownInThread;
      /** It is an error of StreamWeld. */
      readonly isOurs: boolean;
    };
