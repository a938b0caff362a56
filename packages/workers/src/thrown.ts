/** What was thrown in a thread, as an error of this one: with its message, stack, code and cause. */

import { StreamWeldError } from '@streamweld/core/connector';
import type { ThrownInThread } from './messages.ts';

/** The class is lost on the way, its name is not: `error.name` and `error.code` tell errors apart. */
export function revive(thrown: ThrownInThread): unknown {
  if (!thrown.isError) return thrown.value;
  const { name, message, stack, own, cause, isOurs } = thrown;
  const error = isOurs ? reviveOurs(message, own) : new Error(message);
  for (const [key, value] of Object.entries({ ...own, name, stack })) define(error, key, value);
  if (cause !== undefined) define(error, 'cause', revive(cause));
  return error;
}

function reviveOurs(
  message: string,
  { code, stage, details }: Readonly<Record<string, unknown>>,
): StreamWeldError {
  return new StreamWeldError(String(code), message, {
    stage: typeof stage === 'string' ? stage : undefined,
    details: details as Readonly<Record<string, unknown>> | undefined,
  });
}

/** What an error brings by nature is not enumerable; what was added to it is. */
function define(error: Error, key: string, value: unknown): void {
  const enumerable = !['name', 'stack', 'cause'].includes(key);
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}
