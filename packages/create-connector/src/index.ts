/** The door: what `npm create` does, for a program that does it itself. Names only. */

export { type Created, createConnector, type CreateOptions } from './create.ts';
export { CREATE_ERROR_CODES, type CreateErrorCode, CreateError } from './errors.ts';
export { type Names, namesOf } from './names.ts';
export { fill, readTemplate } from './template.ts';
