/**
 * The ledger of a sink: one small object that says which of its objects count, how far the source had come with them, and
 * whose turn it is.
 *
 * Every change is a PUT on condition that the ledger is still the one that was last seen (If-Match; the first one:
 * If-None-Match). It has a number, `revision`, so that no two contents are alike, and the `epoch` of the sink that wrote it,
 * which is drawn anew by each sink that opens: whoever comes later writes an epoch of its own, and from then on the condition
 * of the one before fails. It is fenced.
 *
 * An answer that was lost leaves a change in doubt: it has been made, or has not, or is made later. Nothing is guessed: the
 * next change has the same condition, and only one of the two can be met. If the store then says that the ledger is another,
 * it is read: an epoch of one's own is that earlier change, and what is to be done next is decided anew on top of it.
 */

import {
  isStreamWeldError,
  positionFromJson,
  positionToJson,
  StreamWeldError,
} from '@streamweld/core/connector';
import type { S3Store } from './client.ts';
import { hasCode, S3Error } from './errors.ts';
import { patiently } from './patience.ts';
import { unconditional } from './sink-body.ts';

/** Objects that may be there, whole or in parts, and do not count yet. */
export interface PendingObjects {
  readonly sequence: number;
  readonly epoch: string;
  readonly keys: readonly string[];
}

/** The content of a ledger. Numbers that are `void` count for nothing: from each first to each last, in order. */
export interface LedgerContent {
  readonly version: 1;
  readonly revision: number;
  readonly epoch: string;
  /** Whose positions it keeps; null where it keeps none. */
  readonly checkpoint: string | null;
  /** The number of the next object. None below it is given again. */
  readonly next: number;
  /** Objects up to this number count, but for the void. 0 before the first. */
  readonly committed: number;
  readonly void: readonly (readonly [first: number, last: number])[];
  readonly positions: readonly (readonly [lane: string, position: unknown])[];
  readonly pending: readonly PendingObjects[];
}

/**
 * Whether an object of a sink that delivers exactly once counts: it is whole, and will never be taken back. Objects of which
 * it says no are not committed yet, or never will be.
 *
 * @param ledger read before the objects are listed
 * @param sequence of the object: as in its key, or `streamweld-sequence` of its metadata
 */
export function isCommitted(ledger: Pick<LedgerContent, 'committed' | 'void'>, sequence: number): boolean {
  return sequence <= ledger.committed && !isVoid(ledger, sequence);
}

/** It will never count. */
export function isVoid({ void: ranges }: Pick<LedgerContent, 'void'>, sequence: number): boolean {
  return ranges.some(([first, last]) => sequence >= first && sequence <= last);
}

/** So many gaps are remembered: each is a run that was ended between the two changes of a write. */
const MOST_VOID = 1000;

/** Whatever was pending counts for nothing from now on. */
export function voided({ void: ranges, pending }: LedgerContent): LedgerContent['void'] {
  return pending.reduce((all, { sequence }) => withVoid(all, sequence), ranges);
}

/** With one more number that counts for nothing; beyond the most, the oldest are forgotten. */
function withVoid(ranges: LedgerContent['void'], sequence: number): LedgerContent['void'] {
  const last = ranges.at(-1);
  if (last !== undefined && sequence <= last[1]) return ranges;
  if (last !== undefined && sequence === last[1] + 1) return [...ranges.slice(0, -1), [last[0], sequence]];
  return [...ranges, [sequence, sequence] as const].slice(-MOST_VOID);
}

export type KeptPositions = LedgerContent['positions'];

/** @throws StreamWeldError SW_POSITION_UNSTORABLE */
export function toKept(positions: ReadonlyMap<string, unknown> | undefined): KeptPositions {
  return [...(positions ?? [])].map(
    ([lane, position]) => [lane, positionToJson(position, `[${lane}]`)] as const,
  );
}

/** By lane. */
export function fromKept(kept: KeptPositions): ReadonlyMap<string, unknown> {
  return new Map(kept.map(([lane, position]) => [lane, positionFromJson(position)]));
}

export function merge(kept: KeptPositions, moved: KeptPositions): KeptPositions {
  return [...new Map([...kept, ...moved])];
}

export interface LedgerOptions {
  readonly store: S3Store;
  readonly bucket: string;
  readonly key: string;
  readonly stage: string;
  readonly retryMs: number;
  readonly conditional: boolean;
  readonly epoch: string;
}

interface Found {
  readonly content: LedgerContent;
  readonly etag: string;
}

interface Raw {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** What is to be in it next, but for its revision; nothing where nothing is to be changed. */
type Change = (content: LedgerContent) => LedgerContent | undefined;

const EMPTY: LedgerContent = {
  version: 1,
  revision: 0,
  epoch: '',
  checkpoint: null,
  next: 1,
  committed: 0,
  void: [],
  positions: [],
  pending: [],
};

export class Ledger {
  readonly #options: LedgerOptions;
  #content: LedgerContent = EMPTY;
  /** What it was found to hold by whoever has taken it over. */
  successor: LedgerContent | undefined;
  /** Of what is there; none where nothing is. */
  #etag: string | undefined;
  /** The highest that was tried. */
  #revision = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** As it was last seen. */
  get content(): LedgerContent {
    return this.#content;
  }

  get epoch(): string {
    return this.#options.epoch;
  }

  /**
   * Takes it over from whoever had it, with the epoch of this sink.
   * @param change what it is to hold then, by what is found; it may throw
   */
  async takeOver(change: (found: LedgerContent) => LedgerContent, signal: AbortSignal): Promise<void> {
    for (;;) {
      const found = await this.#read(signal);
      this.#adopt(found);
      try {
        return await this.#put(change(this.#content), signal);
      } catch (error) {
        // Somebody else was at it just now: whoever comes last has it.
        if (!isFenced(error)) throw error;
      }
    }
  }

  /** One after the other. @throws StreamWeldError SW_CHECKPOINT_FENCED where another has taken it over */
  update(change: Change, signal: AbortSignal): Promise<void> {
    const updated = this.#last.then(() => this.#update(change, signal));
    this.#last = updated.catch(() => {});
    return updated;
  }

  async #update(change: Change, signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = change(this.#content);
      if (next === undefined) return;
      if (await this.#tryPut(next, signal)) return;
    }
  }

  async #put(next: LedgerContent, signal: AbortSignal): Promise<void> {
    if (!(await this.#tryPut(next, signal))) throw this.#fenced();
  }

  /** Answers false where an earlier change of this sink was made after all: then it is adopted, and this one is not made. */
  async #tryPut(next: LedgerContent, signal: AbortSignal): Promise<boolean> {
    const { store, bucket, key, retryMs, conditional, epoch, stage } = this.#options;
    this.#revision = Math.max(this.#revision, this.#content.revision) + 1;
    const content: LedgerContent = { ...next, epoch, revision: this.#revision };
    const request = {
      bucket,
      key,
      body: Buffer.from(JSON.stringify(content)),
      contentType: 'application/json',
      ...(!conditional
        ? {}
        : this.#etag === undefined
          ? { ifNoneMatch: '*' as const }
          : { ifMatch: this.#etag }),
    };
    try {
      this.#etag = await patiently(retryMs, signal, () => store.put(request, signal));
      this.#content = content;
      return true;
    } catch (error) {
      if (conditional && hasCode(error, 'SW_S3_UNSUPPORTED')) throw unconditional(error, stage, bucket);
      if (!isRefused(error)) throw error;
    }
    const found = await this.#read(signal);
    if (found?.content.epoch !== epoch) {
      this.successor = found?.content;
      throw this.#fenced();
    }
    this.#adopt(found);
    return found.content.revision === content.revision;
  }

  #adopt(found: Found | undefined): void {
    this.#etag = found?.etag;
    this.#content = found?.content ?? EMPTY;
  }

  /**
   * Until two readings agree: some stores answer with the content of one moment and the etag of another while an object is
   * being replaced, and on a condition of the one, what stands in the other would be lost.
   */
  async #read(signal: AbortSignal): Promise<Found | undefined> {
    for (let before: Raw | undefined; ; ) {
      const found = await this.#get(signal);
      if (found === undefined) return undefined;
      if (before?.etag === found.etag && before.bytes.equals(found.bytes))
        return { content: this.#parse(found.bytes), etag: found.etag };
      before = found;
    }
  }

  async #get(signal: AbortSignal): Promise<Raw | undefined> {
    const { store, bucket, key, retryMs } = this.#options;
    return patiently(retryMs, signal, async () => {
      try {
        const body = await store.get({ bucket, key }, signal);
        const chunks: Uint8Array[] = [];
        for await (const chunk of body.chunks) chunks.push(chunk);
        return { bytes: Buffer.concat(chunks), etag: body.etag };
      } catch (error) {
        if (hasCode(error, 'SW_S3_OBJECT_MISSING')) return undefined;
        throw error;
      }
    });
  }

  #parse(bytes: Buffer): LedgerContent {
    let content: LedgerContent;
    try {
      content = JSON.parse(String(bytes)) as LedgerContent;
    } catch {
      throw this.#damaged('it is not JSON');
    }
    const { version, next, committed, void: gaps, positions, pending, revision } = content ?? {};
    if (version !== 1) throw this.#damaged(`it is not of version 1, which is all that is known here`);
    const isWhole =
      [next, committed, revision].every(Number.isSafeInteger) &&
      areAll(gaps, (gap) => Array.isArray(gap) && gap.length === 2 && gap.every(Number.isSafeInteger)) &&
      areAll(positions, (kept) => Array.isArray(kept) && kept.length === 2 && typeof kept[0] === 'string') &&
      areAll(pending, (each) => {
        const { sequence, epoch, keys } = (each ?? {}) as Partial<PendingObjects>;
        const isNamed = Number.isSafeInteger(sequence) && typeof epoch === 'string';
        return isNamed && areAll(keys, (key) => typeof key === 'string');
      });
    if (!isWhole) throw this.#damaged('something is missing in it');
    return content;
  }

  #damaged(what: string): S3Error {
    const { stage, bucket, key } = this.#options;
    return new S3Error(
      'SW_S3_LEDGER_DAMAGED',
      `The ledger of '${stage}', ${JSON.stringify(key)} in bucket ${JSON.stringify(bucket)}, cannot be read: ${what}. Nothing is guessed: restore it, or give the sink another key and ledger and begin anew.`,
      { stage, bucket, key },
    );
  }

  #fenced(): StreamWeldError {
    const { stage, bucket, key } = this.#options;
    return new StreamWeldError(
      'SW_CHECKPOINT_FENCED',
      `Another sink has taken over the ledger of '${stage}', ${JSON.stringify(key)} in bucket ${JSON.stringify(bucket)}: this one writes no more. End one of the two; two that are to write side by side need keys and a ledger (or a name) of their own.`,
      { stage },
    );
  }
}

function areAll(values: unknown, isGood: (value: unknown) => boolean): boolean {
  return Array.isArray(values) && values.every(isGood);
}

function isFenced(error: unknown): boolean {
  return isStreamWeldError(error) && error.code === 'SW_CHECKPOINT_FENCED';
}

/** The ledger is not the one that it was: also where it was not there, or is not any more. */
function isRefused(error: unknown): boolean {
  return (
    hasCode(error, 'SW_S3_OBJECT_CHANGED') ||
    hasCode(error, 'SW_S3_OBJECT_EXISTS') ||
    hasCode(error, 'SW_S3_OBJECT_MISSING')
  );
}
