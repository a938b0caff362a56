/** What cannot be begun, with a code and what to do. */

/** The one table of codes of this package. */
export const CREATE_ERROR_CODES = {
  SW_CREATE_ARGUMENT_INVALID: 'An argument is not known, or one is too many.',
  SW_CREATE_NAME_MISSING: 'No name was given, and there is no terminal in which it could be asked for.',
  SW_CREATE_NAME_INVALID: 'A name is none that a connector or a package can have.',
  SW_CREATE_FOLDER_OCCUPIED: 'The folder is not empty, or what is there is no folder.',
  SW_CREATE_FOLDER_DENIED: 'The folder could not be made, read or written to.',
} as const;

export type CreateErrorCode = keyof typeof CREATE_ERROR_CODES;

/** Its message says what was expected, what was given, and what to do. */
export class CreateError extends Error {
  override readonly name: string = 'CreateError';
  readonly code: CreateErrorCode;

  constructor(code: CreateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
