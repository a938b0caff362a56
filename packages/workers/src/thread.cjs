/**
 * What runs in a thread: it loads the user's module once, and calls its function with the items of each batch.
 *
 * Answers go over the thread's own port, not as the result of the pool's task: there, something that cannot be cloned would
 * end the thread. It is CommonJS, because the pool requires it, and where a thread is ended while it requires an ES module,
 * Node 20 brings down the whole process.
 */
'use strict';
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const { parentPort, workerData } = require('node:worker_threads');

/** @import { Answer, RefusedItem, Task, ThreadData, ThrownInThread } from './messages.ts' */
/** @typedef {(given: unknown, context: Context) => unknown} UserFunction */

/** @type {ThreadData} */
const { module: address, takes, data, control } = workerData;
const IS_ABORTED = 0;
const MODULES_LOADED = 1;
const CAUSES_KEPT = 8;

const signal = createSignal();

/** A real AbortSignal, of which also a loop that never waits sees that it aborted. */
function createSignal() {
  const controller = new AbortController();
  const isAborted = () => Atomics.load(control, IS_ABORTED) !== 0;
  const reason = new DOMException('The run was aborted, or has no use for more.', 'AbortError');
  const waiting = Atomics.waitAsync(control, IS_ABORTED, 0);
  if (waiting.async) void waiting.value.then(() => controller.abort(reason));
  else controller.abort(reason);
  return Object.defineProperties(controller.signal, {
    aborted: { get: isAborted },
    reason: { get: () => (isAborted() ? reason : undefined) },
    throwIfAborted: {
      value: () => {
        if (isAborted()) throw reason;
      },
    },
  });
}

/** What a function is given beside its items. */
class Context {
  signal = signal;
  data = data;
  /** @type {Set<unknown>} */
  transfers = new Set();
  /** @type {Map<number, unknown>} */
  refused = new Map();
  /** @type {number} */
  #count;

  /** @param {number} count */
  constructor(count) {
    this.#count = count;
  }

  /**
   * @template V
   * @param {V} value
   * @param {readonly unknown[]} [list]
   * @returns {V}
   */
  transfer = (value, list) => {
    if (list === undefined) {
      const whole = isPart(value) ? copyOf(value) : value;
      this.transfers.add(ArrayBuffer.isView(whole) ? whole.buffer : whole);
      return /** @type {V} */ (whole);
    }
    // Others may look at the rest of a buffer of which only a part is meant: that is copied.
    for (const each of list) {
      if (!isPart(each)) this.transfers.add(ArrayBuffer.isView(each) ? each.buffer : each);
    }
    return value;
  };

  /**
   * @param {number} index
   * @param {unknown} error
   */
  refuse = (index, error) => {
    if (!Number.isInteger(index) || index < 0 || index >= this.#count) {
      throw new RangeError(`refuse needs an index of the batch, 0 to ${this.#count - 1}.`);
    }
    if (!this.refused.has(index)) this.refused.set(index, error);
  };
}

/**
 * @param {unknown} value
 * @returns {value is Uint8Array}
 */
function isPart(value) {
  return ArrayBuffer.isView(value) && value.byteLength !== value.buffer.byteLength;
}

/** @param {Uint8Array} view of whatever kind; what Node calls a Buffer arrives as a Uint8Array in any case. */
function copyOf(view) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const View = /** @type {typeof Uint8Array} */ (Buffer.isBuffer(view) ? Uint8Array : view.constructor);
  return new View(bytes);
}

/** @type {Promise<{ run: UserFunction } | { error?: ThrownInThread, found?: string }> | undefined} */
let loading;

async function load() {
  try {
    if (/\.[cm]?tsx?$/.test(address)) await registerTsx();
    let { default: run } = await import(address);
    // A module of CommonJS that was written as an ES module has its default export one level down.
    if (typeof run === 'object' && run !== null && 'default' in run) run = run.default;
    if (typeof run !== 'function') return { found: typeof run };
    Atomics.add(control, MODULES_LOADED, 1);
    return { run };
  } catch (error) {
    return { error: describe(error) };
  }
}

/** TypeScript is run by tsx, where it is installed beside the module; else by Node, as far as it can. */
async function registerTsx() {
  try {
    // Node has no way to look up an ES module from elsewhere; of the two that tsx has, the one beside it works here.
    const path = createRequire(address)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs');
    const { register } = await import(pathToFileURL(path).href);
    register();
  } catch {
    // The import that follows says what is missing.
  }
}

/**
 * What the pool calls with each batch. Its own answer says only that the thread is ready for the next.
 * @param {Task} task
 */
async function runTask({ id, items }) {
  loading ??= load();
  const loaded = await loading;
  if (!('run' in loaded)) post({ id, kind: 'unloaded', ...loaded });
  else if (takes === 'item') await runItems(id, items, loaded.run);
  else await runBatch(id, items, loaded.run);
}

/**
 * @param {number} id
 * @param {readonly unknown[]} items
 * @param {UserFunction} run
 */
async function runItems(id, items, run) {
  const results = [];
  /** @type {RefusedItem[]} */
  const refused = [];
  const transfers = new Set();
  for (const [index, item] of items.entries()) {
    // Nobody waits for the rest.
    if (Atomics.load(control, IS_ABORTED) !== 0) break;
    const context = new Context(1);
    try {
      const answer = run(item, context);
      const value = isThenable(answer) ? await answer : answer;
      if (context.refused.has(0)) throw context.refused.get(0);
      results.push({ index, value, transfers: context.transfers });
      for (const each of context.transfers) transfers.add(each);
    } catch (error) {
      refused.push({ index, error: describe(error) });
    }
  }
  try {
    post({ id, kind: 'done', results: results.map(({ value }) => value), refused }, transfers);
  } catch (error) {
    const uncloneable = results.filter(({ value }) => !isCloneable(value));
    // Where each can be sent by itself, what was to be transferred is at fault.
    const bad = new Set(uncloneable.length > 0 ? uncloneable : results);
    const good = results.filter((each) => !bad.has(each));
    for (const { index } of bad) refused.push({ index, error: describe(error), isUncloneable: true });
    const left = new Set(good.flatMap((each) => [...each.transfers]));
    post({ id, kind: 'done', results: good.map(({ value }) => value), refused }, left);
  }
}

/**
 * @param {number} id
 * @param {readonly unknown[]} items
 * @param {UserFunction} run
 */
async function runBatch(id, items, run) {
  const context = new Context(items.length);
  try {
    const results = await run(items, context);
    if (!Array.isArray(results)) {
      post({ id, kind: 'invalid', found: results === null ? 'null' : `a ${typeof results}` });
      return;
    }
    const refused = [...context.refused].map(([index, error]) => ({ index, error: describe(error) }));
    post({ id, kind: 'done', results, refused }, context.transfers);
  } catch (error) {
    post({ id, kind: 'failed', error: describe(error), isUncloneable: isCloneError(error) });
  }
}

/**
 * @param {Answer} answer
 * @param {ReadonlySet<unknown>} [transfers]
 */
function post(answer, transfers = new Set()) {
  const list = [...transfers];
  // Node would send it, and nobody could read the message.
  if (list.some(isDetached))
    throw new DOMException('What is to be transferred was before.', 'DataCloneError');
  parentPort?.postMessage(answer, /** @type {any} */ (list));
}

/** @param {unknown} buffer */
function isDetached(buffer) {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength > 0) return false;
  try {
    return new Uint8Array(buffer).length > 0;
  } catch {
    return true;
  }
}

/** @param {unknown} error */
function isCloneError(error) {
  return error instanceof DOMException && error.name === 'DataCloneError';
}

/** @param {unknown} value */
function isThenable(value) {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/**
 * @param {unknown} thrown
 * @returns {ThrownInThread}
 */
function describe(thrown, depth = 0) {
  if (!(thrown instanceof Error)) {
    return { isError: false, value: isCloneable(thrown) ? thrown : `a ${typeof thrown}` };
  }
  /** @type {Record<string, unknown>} */
  const own = {};
  for (const key of Object.keys(thrown)) {
    const value = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (thrown))[key];
    if (isCloneable(value)) own[key] = value;
  }
  // Of a class that has its code on the prototype, as those of the web.
  const { code } = /** @type {{ code?: unknown }} */ (thrown);
  if (typeof code === 'string' || typeof code === 'number') own['code'] = code;
  const { name, message, stack, cause } = thrown;
  const described = {
    isError: /** @type {const} */ (true),
    name,
    message,
    stack,
    own,
    isOurs: isOurs(thrown),
  };
  return cause === undefined || depth >= CAUSES_KEPT
    ? described
    : { ...described, cause: describe(cause, depth + 1) };
}

/** @param {object} error */
function isOurs(error) {
  return Reflect.get(error, Symbol.for('streamweld.error')) === true;
}

/** @param {unknown} value */
function isCloneable(value) {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

module.exports = runTask;
