/** What the app refuses, or cannot do: each with a code, and a message that says what can be done. */

type Code =
  | 'ORDERS_FOLDER_UNUSABLE'
  | 'ORDERS_POSTGRES_UNAVAILABLE'
  | 'ORDERS_RUN_UNFINISHED'
  | 'ORDERS_RUN_MISSING'
  | 'ORDERS_LETTER_UNKNOWN';

export class Refusal extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What was refused, where that is what an error comes from. */
export function knownOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  return error instanceof Error ? knownOf(error.cause) : undefined;
}
