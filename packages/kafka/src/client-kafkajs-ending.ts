/** Closing with kafkajs, within a deadline: it may hang for good. */

import { within } from './deadline.ts';

/** How long a client may take to say goodbye. */
const CLOSE_MS = 2000;

/** Never fails, and never takes long. */
export async function disconnect(client: { disconnect(): Promise<void> }): Promise<void> {
  try {
    await within(CLOSE_MS, client.disconnect());
  } catch {
    // Its connections are cut in any case.
  }
}

/** What was under way when a client was given up may have connected it again: then it is disconnected once more. */
export function endingWith<T>(
  client: { disconnect(): Promise<void> },
  given: AbortSignal,
  underWay: Promise<T>,
): Promise<T> {
  const settled = (): void => {
    if (given.aborted) void disconnect(client);
  };
  underWay.then(settled, settled);
  return underWay;
}
