/** What an error says about the write that it ended. */

import { isStreamWeldError } from '../errors.ts';

/** How far causes are followed: errors of ours are wrapped once or twice, and a circle must end. */
const DEPTH = 8;

interface Says {
  readonly retryable?: unknown;
  readonly failed?: unknown;
  readonly cause?: unknown;
}

/** The error, and behind one of ours its cause, and so on: whoever comes first is heard. */
function* voices(error: unknown): Generator<Says> {
  let said = error;
  for (let depth = 0; depth < DEPTH; depth++) {
    if (typeof said !== 'object' || said === null) return;
    yield said;
    if (!isStreamWeldError(said)) return;
    said = said.cause;
  }
}

/** Whether it says `retryable: false`: the items are at fault, and writing the same again cannot succeed. */
export function blamesData(error: unknown): boolean {
  for (const { retryable } of voices(error)) if (typeof retryable === 'boolean') return !retryable;
  return false;
}

/**
 * The indexes it names as failed, in order and each once. Nothing, where it names none, or any that the batch does not
 * have: such a list cannot be trusted with the rest.
 */
export function failedIndexes(error: unknown, size: number): readonly number[] | undefined {
  try {
    return readIndexes(error, size);
  } catch {
    // An error of somebody else's may throw when it is read.
    return undefined;
  }
}

function readIndexes(error: unknown, size: number): readonly number[] | undefined {
  for (const { failed } of voices(error)) {
    if (!Array.isArray(failed) || failed.length === 0) continue;
    const indexes = [...new Set(failed as readonly unknown[])];
    const areValid = indexes.every(
      (at) => Number.isInteger(at) && (at as number) >= 0 && (at as number) < size,
    );
    return areValid ? (indexes as number[]).sort((a, b) => a - b) : undefined;
  }
  return undefined;
}
