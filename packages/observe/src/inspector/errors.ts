/** What can go wrong with the inspector itself: the one table of codes. */

import { StreamWeldError } from '@streamweld/core/connector';

/** The one table of codes of this package. */
export const INSPECTOR_ERROR_CODES = {
  SW_INSPECTOR_LISTEN_FAILED: 'The inspector cannot listen where it was told to.',
} as const;

export type InspectorErrorCode = keyof typeof INSPECTOR_ERROR_CODES;

/** @param cause what the system said, as `EADDRINUSE` */
export function listenFailed(host: string, port: number, cause: unknown): StreamWeldError {
  const code: InspectorErrorCode = 'SW_INSPECTOR_LISTEN_FAILED';
  const said = (cause as { readonly code?: unknown } | null)?.code;
  return new StreamWeldError(
    code,
    `The inspector cannot listen on ${host}, port ${port}${typeof said === 'string' ? ` (${said})` : ''}. ` +
      'Leave `port` out to get one that is free, or end what has it. Pipelines are not affected.',
    { cause },
  );
}
