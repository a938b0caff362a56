/** The servers that the app starts by itself, as the one that asks for them sees them. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { KeeperWord } from './keeper.ts';

export interface Wanted {
  readonly kafka: boolean;
  readonly cache: boolean;
  /** Is told of what the user should know while they run. */
  readonly say: (line: string) => void;
}

type Found<T> = T | { readonly none: string } | undefined;

export class OwnServers implements AsyncDisposable {
  /** Undefined where it was not wanted. */
  readonly kafka: Found<{ readonly brokers: readonly string[]; readonly how: 'docker' | 'java' }>;
  readonly cache: Found<{ readonly url: string; readonly how: 'path' | 'wheel'; readonly pid: number }>;
  readonly #keeper: ChildProcess | undefined;

  private constructor(words: ReadonlyMap<'kafka' | 'cache', KeeperWord>, keeper: ChildProcess | undefined) {
    const [kafka, cache] = [words.get('kafka'), words.get('cache')];
    this.kafka =
      kafka?.kind === 'none' ? { none: kafka.reason } : kafka?.kind === 'kafka' ? kafka : undefined;
    this.cache =
      cache?.kind === 'none' ? { none: cache.reason } : cache?.kind === 'cache' ? cache : undefined;
    this.#keeper = keeper;
  }

  /** Resolves when it is known of each whether it is there. @param signal gives it up. */
  static async start({ kafka, cache, say }: Wanted, signal: AbortSignal): Promise<OwnServers> {
    signal.throwIfAborted();
    const wanted = new Set([...(kafka ? (['kafka'] as const) : []), ...(cache ? (['cache'] as const) : [])]);
    if (wanted.size === 0) return new OwnServers(new Map(), undefined);
    const keeper = fork(fileURLToPath(new URL('keeper.ts', import.meta.url)), [...wanted], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    });
    const words = new Map<'kafka' | 'cache', KeeperWord>();
    const giveUp = (): void => {
      if (keeper.connected) keeper.disconnect();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        keeper.on('message', (word: KeeperWord) => {
          if (word.kind === 'cache-gone') say('The cache server is gone: it is started again');
          else if (word.kind === 'cache-again')
            say(`  it is back after ${Math.round(word.tookMs)} ms, process ${word.pid}, with all it had`);
          else words.set(word.kind === 'none' ? word.of : word.kind, word);
          if (words.size === wanted.size) resolve();
        });
        keeper.once('error', reject);
        keeper.once('exit', (code) => reject(new Error(`What keeps the servers ended with code ${code}.`)));
      });
      return new OwnServers(words, keeper);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined || keeper.exitCode !== null || keeper.signalCode !== null) return;
    const exited = once(keeper, 'exit');
    if (keeper.connected) keeper.disconnect();
    await exited;
  }
}
