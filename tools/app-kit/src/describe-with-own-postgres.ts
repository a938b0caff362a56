import { describe, it } from 'vitest';
import { OwnPostgres } from './own-postgres.ts';

let whyNot: Promise<string | undefined> | undefined;

/**
 * Describes tests that need the Postgres that apps bring along. Where it cannot be had they are skipped, and say why; in CI
 * that is a failure.
 */
export function describeWithOwnPostgres(name: string, body: () => void): void {
  describe(name, async () => {
    const reason = await (whyNot ??= tryOnce());
    if (reason === undefined) return body();
    console.warn(`Skipped: ${name}. ${reason}`);
    it.skip(reason, () => {});
  });
}

async function tryOnce(): Promise<string | undefined> {
  try {
    await using _server = await OwnPostgres.start({
      signal: new AbortController().signal,
      refuse: (reason) => new Error(reason),
    });
    return undefined;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    return (error as Error).message;
  }
}
