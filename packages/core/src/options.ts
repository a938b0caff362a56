/** Checks at the door: each says which option, what is expected, and what was given. They throw synchronously. */

import { OptionError } from './errors.ts';

/** A whole number of items, tasks or bytes, at least `min` (default 1). */
export function checkCount(option: string, value: unknown, min = 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
  throw new OptionError(option, `a whole number of at least ${min}`, value);
}

/** A duration in milliseconds, 0 or more; timers cannot wait longer than 2^31 − 1. */
export function checkDuration(option: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) return value;
  throw new OptionError(option, 'a duration in milliseconds from 0 to 2147483647', value);
}

export function checkFunction<F>(option: string, value: F): F {
  if (typeof value === 'function') return value;
  throw new OptionError(option, 'a function', value);
}

/** An object that has the method: recognised by its shape. */
export function checkMethod(option: string, value: unknown, method: string): void {
  const shape = value as Record<string, unknown> | null;
  if ((typeof shape === 'object' || typeof shape === 'function') && typeof shape?.[method] === 'function')
    return;
  throw new OptionError(option, `an object with ${method}()`, value);
}

export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new OptionError(option, 'true or false', value);
}

export function checkText(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new OptionError(option, 'a string that is not empty', value);
}

export function checkOneOf<const C extends readonly string[]>(
  option: string,
  value: unknown,
  choices: C,
): C[number] {
  if (choices.includes(value as string)) return value as C[number];
  throw new OptionError(option, choices.map((choice) => `'${choice}'`).join(' or '), value);
}

/** An options object whose names are all known: a misspelt option would otherwise be silently without effect. */
export function checkOptions<O extends object>(
  what: string,
  value: O | undefined,
  known: readonly (keyof O & string)[],
): O {
  if (value === undefined) return {} as O;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError(what, 'an object of options', value);
  }
  for (const name of Object.keys(value)) {
    if (!(known as readonly string[]).includes(name)) {
      throw new OptionError(
        `${what}.${name}`,
        `one of its known options (${known.join(', ')})`,
        // The name, never the value: it may be a misspelt password.
        name,
      );
    }
  }
  return value;
}

/** A signal to abort by, recognised by its shape, or nothing. */
export function checkSignal(option: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal;
  if (typeof signal === 'object' && signal !== null && 'aborted' in signal && 'addEventListener' in signal) {
    return signal;
  }
  throw new OptionError(option, 'an AbortSignal', value);
}
