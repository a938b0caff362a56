/** Sends commands of the SDK: in time, called off by a signal, and once more where that is of use at once. */

import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import { call } from './client-sdk-call.ts';
import { isOfKeys, type Translation, wasOfClock } from './error-translation.ts';

export interface RequestOptions {
  /** How long the store may take for an answer; what carries bytes may take as much longer as they need at SLOWEST. */
  readonly requestTimeoutMs: number;
}

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/** Bytes a millisecond. */
const SLOWEST = 64;

export class Requests {
  readonly #client: S3Client;
  readonly #options: RequestOptions;
  /** How often the keys were asked for anew. */
  #renewals = 0;

  constructor(client: S3Client, options: RequestOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** @param more how many bytes it carries, what calls it off, and what to do with an answer that nobody waits for any more */
  send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    translation: Translation,
    signal: AbortSignal,
    command: Command<I, O>,
    more: {
      readonly bytes?: number;
      readonly over?: AbortController;
      readonly late?: (answer: O) => void;
    } = {},
  ): Promise<O> {
    const { bytes = 0, over, late } = more;
    return call<O>({
      ...translation,
      ms: this.#options.requestTimeoutMs + Math.ceil(bytes / SLOWEST),
      signal,
      over,
      send: (abortSignal) => this.#try(command, abortSignal),
      late,
    });
  }

  /** As the client's own option says: some stores break on checksums. */
  async checksum(): Promise<'CRC32' | undefined> {
    const { requestChecksumCalculation } = this.#client.config as Partial<S3ClientResolvedConfig>;
    return (await requestChecksumCalculation?.()) === 'WHEN_SUPPORTED' ? 'CRC32' : undefined;
  }

  async #try<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    abortSignal: AbortSignal,
  ): Promise<O> {
    const renewals = this.#renewals;
    try {
      return await this.#client.send(command, { abortSignal });
    } catch (error) {
      if (abortSignal.aborted) throw error;
      // The client has learnt the store's time from its answer.
      const again = wasOfClock(error) || (isOfKeys(error) && (await this.#renew(renewals)));
      if (!again || abortSignal.aborted) throw error;
      return await this.#client.send(command, { abortSignal });
    }
  }

  /** Asks where the keys come from for new ones, unless that was done meanwhile. Answers whether it may help. */
  async #renew(renewals: number): Promise<boolean> {
    if (renewals !== this.#renewals) return true;
    const { credentials } = this.#client.config as Partial<S3ClientResolvedConfig>;
    try {
      // Those that ask at the same time get one answer of the client.
      await credentials?.({ forceRefresh: true });
    } catch {
      // What the store said first is what counts.
      return false;
    }
    this.#renewals = renewals + 1;
    return credentials !== undefined;
  }
}
