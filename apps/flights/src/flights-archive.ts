/** The archive of all flights in S3: looked for before anything is begun, written in act 2, and read back for the proof. */

import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ConcurrentPipeline, StreamWeldError } from '@streamweld/core';
import { S3Sink, type S3SinkOptions, S3Source } from '@streamweld/s3';
import { Archived } from './archived.ts';
import type { Flight } from './flight.ts';
import { type S3Place, S3Unavailable } from './s3.ts';
import type { Stage } from './stage.ts';

/** Flights of one object: so few that one is never more than a part, and a run that is killed leaves no upload open. */
const FLIGHTS_OF_OBJECT = 100_000;
/** How long it may take until it is known whether there is a store: whoever waits has not seen anything yet. */
const OPEN_MS = 8000;
/** Of it, how long what may pass is tried again. */
const TRY_MS = 3000;
/** How long a store may be away while it is written to or read. */
const RETRY_MS = 20_000;

export class FlightsArchive {
  /** What the keys of this run begin with: the bucket may hold earlier runs, or one that runs now. */
  readonly folder = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomUUID().slice(0, 8)}`;
  readonly #place: S3Place;

  private constructor(place: S3Place) {
    this.#place = place;
  }

  /**
   * Makes the bucket where it is missing.
   * @throws S3Unavailable
   */
  static async open(place: S3Place, signal: AbortSignal): Promise<FlightsArchive> {
    signal.throwIfAborted();
    const archive = new FlightsArchive(place);
    const over = new AbortController();
    try {
      await Promise.race([archive.#look(over.signal), gaveUp(AbortSignal.any([signal, over.signal]))]);
      return archive;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof S3Unavailable) throw error;
      // An endpoint may have more in its path than everybody should read.
      const which = `The S3 at ${new URL(place.endpoint).host} cannot be used`;
      const remedy = 'See that a store runs there, and takes these keys';
      throw new S3Unavailable(which, reasonOf(error), remedy, { cause: error });
    } finally {
      over.abort(new Error('Given up.'));
    }
  }

  get bucket(): string {
    return this.#place.bucket;
  }

  /** All flights in their order, in objects that appear whole. */
  sink(options?: Pick<S3SinkOptions<Flight>, 'retryMs'>): S3Sink<Flight> {
    return new S3Sink<Flight>({
      name: 's3',
      ...this.#place,
      key: `${this.folder}/flights/{sequence}.ndjson.gz`,
      ledger: `${this.folder}/ledger.json`,
      format: 'ndjson',
      level: 1,
      roll: { maxItems: FLIGHTS_OF_OBJECT },
      retryMs: RETRY_MS,
      ...options,
    });
  }

  /** Everything that this run has written, object by object. @param total flights that should be there. */
  async readBack({ progress, shutdown }: Stage, total: number): Promise<Archived> {
    const archived = new Archived();
    const source = new S3Source<Flight>({
      name: 'archive',
      ...this.#place,
      prefix: `${this.folder}/flights/`,
      format: 'ndjson',
      retryMs: RETRY_MS,
      filter: ({ key }) => {
        archived.objects.add(key);
        return true;
      },
    });
    const pipeline = new ConcurrentPipeline(source, (batch) => archived.add(batch)).bufferSize(10_000);
    // A first Ctrl-C does not stop the proof: it is the report that it asks for.
    const running = pipeline.run({ signal: shutdown.signal });
    const read = () => {
      const snapshot = pipeline.snapshot();
      const { written: items, elapsedMs } = snapshot;
      return { title: 'Proof, reading the archive', total, items, elapsedMs, pipeline: snapshot };
    };
    await progress.during(read, () => running);
    return archived;
  }

  /** Whether a sink could open: it takes a store, keys, a bucket, and the right to write into it. */
  async #look(signal: AbortSignal): Promise<void> {
    try {
      await this.#tryToOpen(signal);
    } catch (error) {
      if ((error as Partial<StreamWeldError>).code !== 'SW_S3_BUCKET_UNKNOWN') throw error;
      await this.#makeBucket(signal);
      await this.#tryToOpen(signal);
    }
  }

  async #tryToOpen(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const sink = this.sink({ retryMs: TRY_MS });
    const giveUp = () => void sink.close(signal.reason);
    signal.addEventListener('abort', giveUp);
    try {
      await sink.open();
      await sink.close();
    } catch (error) {
      await sink.close(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #makeBucket(signal: AbortSignal): Promise<void> {
    const { bucket, ...reach } = this.#place;
    const client = new S3Client({ ...reach, forcePathStyle: true, maxAttempts: 2 });
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: signal });
    } catch (error) {
      // Another demo was quicker.
      if ((error as Error).name === 'BucketAlreadyOwnedByYou') return;
      signal.throwIfAborted();
      const which = `S3 has no bucket ${bucket}, and did not make it`;
      throw new S3Unavailable(which, reasonOf(error), 'Make it yourself', { cause: error });
    } finally {
      client.destroy();
    }
  }
}

/** Rejects when it has taken too long, or is not wanted any more. */
function gaveUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${OPEN_MS / 1000} s`)), OPEN_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** A store may quote what it was sent: of what it answers no more is told than the name that it has for it. */
function reasonOf(error: unknown): string {
  if (error instanceof StreamWeldError) return error.message;
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  if ($metadata === undefined) return message;
  const { httpStatusCode: status } = $metadata;
  const known = /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name) ? name : 'it refused';
  return status === undefined ? known : `${known} (status ${status})`;
}
