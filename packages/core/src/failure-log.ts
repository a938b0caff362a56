/** What failed, counted by code. When it did is for those to find out who look: no clock is read, and no message is kept. */

export interface FailureCount {
  /** The error's `code`, else its name. */
  readonly code: string;
  readonly count: number;
}

/** How many codes are told apart; the rest are one. */
const MOST_CODES = 20;
const MOST_LETTERS = 64;

export class FailureLog {
  readonly #codes = new Map<string, number>();

  note(error: unknown): void {
    let code = codeOf(error);
    if (!this.#codes.has(code) && this.#codes.size >= MOST_CODES) code = 'others';
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  /** Those that happened first come first. */
  get counts(): FailureCount[] {
    return [...this.#codes].map(([code, count]) => ({ code, count }));
  }
}

function codeOf(error: unknown): string {
  try {
    const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
    for (const each of [code, name])
      if (typeof each === 'string' && each !== '') return each.slice(0, MOST_LETTERS);
  } catch {
    // It throws when it is read.
  }
  return typeof error;
}
