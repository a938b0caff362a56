/** The errors that several parts of a dispatcher throw. */

import { isStreamWeldError, StreamWeldError } from '../errors.ts';

export function closedError(name: string): StreamWeldError {
  return new StreamWeldError(
    'SW_DISPATCHER_CLOSED',
    `The dispatcher '${name}' has come to its end: its sinks are closed. Build a new one.`,
    { stage: name },
  );
}

export function sinkError(name: string, doing: string, error: unknown): StreamWeldError {
  if (isStreamWeldError(error)) return error;
  return new StreamWeldError(
    'SW_SINK_FAILED',
    `The sink '${name}' failed to ${doing}; its error is the cause.`,
    {
      stage: name,
      cause: error,
    },
  );
}

/** What a dead letter failed with: nobody consented to the loss of that. */
export function isDeadLetterFailure(error: unknown): boolean {
  return isStreamWeldError(error) && error.code === 'SW_DEAD_LETTER_FAILED';
}

export function listNames(names: readonly (string | number)[]): string {
  const shown = names.slice(0, 10).map((name) => (typeof name === 'string' ? `'${name}'` : String(name)));
  return names.length > 10 ? `${shown.join(', ')} and ${names.length - 10} more` : shown.join(', ');
}
