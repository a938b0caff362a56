/** The door of the connector: names only. */

export { type TemplateNameClient } from './client.ts';
export { TEMPLATE_NAME_ERROR_CODES, type TemplateNameErrorCode } from './errors.ts';
export type { TemplateNameConnection, TemplateNameOptions } from './options.ts';
export { TemplateNameSink } from './sink.ts';
export { TemplateNameSource } from './source.ts';
