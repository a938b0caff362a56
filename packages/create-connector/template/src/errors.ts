/** What can go wrong, as errors of ours: one table of codes, and one place that turns what the client threw into a code. */

import { isStreamWeldError, StreamWeldError } from '@streamweld/core/connector';

/** The one table of codes of this package. */
export const TEMPLATE_NAME_ERROR_CODES = {
  SW_TEMPLATE_NAME_UNREACHABLE: 'No connection to the server could be made.',
  SW_TEMPLATE_NAME_DENIED: 'The server refused the password.',
  SW_TEMPLATE_NAME_CONNECTION_LOST: 'A connection ended while it was in use.',
  SW_TEMPLATE_NAME_POSITION_INVALID: 'What is to be resumed from is no position of this source.',
  SW_TEMPLATE_NAME_FAILED: 'The server failed in a way that has no code of its own here.',
} as const;

export type TemplateNameErrorCode = keyof typeof TEMPLATE_NAME_ERROR_CODES;

/** What the client calls its failures, and what to do about each. */
const KNOWN: Readonly<Record<string, readonly [code: TemplateNameErrorCode, advice: string]>> = {
  ECONNREFUSED: ['SW_TEMPLATE_NAME_UNREACHABLE', 'Check connection.url, and that the server runs.'],
  EAUTH: ['SW_TEMPLATE_NAME_DENIED', 'Check connection.password.'],
  ECONNRESET: ['SW_TEMPLATE_NAME_CONNECTION_LOST', 'A retry, or the next run, connects again.'],
};

/**
 * A failure as ours, with what to do. What is ours already, and what an abort gave as its reason, stays what it is. The
 * client's own error is the cause: see that nothing secret is in it, and no item.
 *
 * @param action what was tried: 'connect', 'read from the log'
 */
export function toTemplateNameError(
  error: unknown,
  stage: string,
  action: string,
  signal: AbortSignal,
): unknown {
  if (isStreamWeldError(error) || (signal.aborted && error === signal.reason)) return error;
  const { code = '' } = (error ?? {}) as { readonly code?: string };
  const [ours, advice] = KNOWN[code] ?? ['SW_TEMPLATE_NAME_FAILED', 'Its cause says more.'];
  return new StreamWeldError(ours, `Could not ${action}: ${TEMPLATE_NAME_ERROR_CODES[ours]} ${advice}`, {
    stage,
    cause: error,
  });
}
