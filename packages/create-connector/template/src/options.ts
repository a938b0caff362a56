/** What a source and a sink are given, and the checks of it. Of all this only the password is secret: it is in no message. */

import { checkOptions, checkText, OptionError } from '@streamweld/core/connector';
import type { TemplateNameClient } from './client.ts';

/** How the server is reached. */
export interface TemplateNameConnection {
  /** `memory://name`. Required. */
  readonly url: string;
  /** Secret. Default: none is sent. */
  readonly password?: string | undefined;
}

/** Either `connection` or `client`, and which log. */
export interface TemplateNameOptions {
  /** Opened by `open`, closed by `close`. */
  readonly connection?: TemplateNameConnection | undefined;
  /** Yours, connected already: it is only borrowed, and stays open. */
  readonly client?: TemplateNameClient | undefined;
  /** The name of the log that is read or written. Required. */
  readonly log: string;
}

/** @throws OptionError that says which option, what is expected and what was given. */
export function checkTemplateNameOptions(what: string, options: TemplateNameOptions): TemplateNameOptions {
  const { connection, client, log } = checkOptions(what, options, ['connection', 'client', 'log']);
  checkText('log', log);
  if ((connection === undefined) === (client === undefined)) {
    throw new OptionError('connection', 'given, or client instead of it', connection, 'One of the two.');
  }
  if (connection !== undefined) {
    checkText('connection.url', checkOptions('connection', connection, ['url', 'password']).url);
    if (connection.password !== undefined && typeof connection.password !== 'string') {
      // Whatever it is, it may be the password in the wrong form: its kind is said, and never its content.
      throw new OptionError('connection.password', 'a string', { kind: typeof connection.password });
    }
  }
  return { connection, client, log };
}
