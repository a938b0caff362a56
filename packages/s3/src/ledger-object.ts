/**
 * The ledger of a sink as an object of its store: one small object that says which of its objects count, how far the source
 * had come with them, and whose turn it is.
 *
 * Every change is a PUT on condition that the ledger is still the one that was last seen (If-Match; the first one:
 * If-None-Match). It has a number, `revision`, so that no two contents are alike, and the `epoch` of the sink that wrote it,
 * which is drawn anew by each sink that opens: whoever comes later writes an epoch of its own, and from then on the condition
 * of the one before fails. It is fenced.
 *
 * An answer that was lost leaves a change in doubt: it has been made, or has not, or is made later. Nothing is guessed: the
 * next change has the same condition, and only one of the two can be met. If the store then says that the ledger is another,
 * it is read: an epoch of one's own is that earlier change, and what is to be done next is decided anew on top of it.
 *
 * All of that is worth as much as the conditions are. A store that does not know them may say so, and may as well write in
 * spite of them: whoever opens a ledger asks for two changes that have to be refused, and would change nothing.
 */

import { isStreamWeldError } from '@streamweld/core/connector';
import type { Condition, S3Store } from './client.ts';
import { hasCode } from './errors.ts';
import { EMPTY, type LedgerContent, parseLedger } from './ledger.ts';
import { damagedLedger, fenced, type LedgerPlace, missingLedger, unreliable } from './ledger-errors.ts';
import { patiently } from './patience.ts';
import { unconditional } from './sink-body.ts';

export interface LedgerOptions extends LedgerPlace {
  readonly store: S3Store;
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

/** Of no object. */
const NO_ETAG = '"00000000000000000000000000000000"';

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
    while (!(await this.#tryTakeOver(change, signal)));
    if (this.#options.conditional) await this.#tryConditions(signal);
  }

  /** Answers false where somebody else was at it just now: whoever comes last has it. */
  async #tryTakeOver(change: (found: LedgerContent) => LedgerContent, signal: AbortSignal): Promise<boolean> {
    this.#adopt(await this.#read(signal));
    const next = change(this.#content);
    try {
      return await this.#tryPut(next, signal);
    } catch (error) {
      if (isStreamWeldError(error) && error.code === 'SW_CHECKPOINT_FENCED') return false;
      throw error;
    }
  }

  /** @throws S3Error SW_S3_UNSUPPORTED where a condition that is not met keeps nobody from writing */
  async #tryConditions(signal: AbortSignal): Promise<void> {
    const [heedsNew, heedsSame] = await Promise.all([
      this.#isRefused({ ifNoneMatch: '*' }, signal),
      this.#isRefused({ ifMatch: NO_ETAG }, signal),
    ]);
    if (heedsNew && heedsSame) return;
    const unheeded = [heedsNew ? [] : 'If-None-Match', heedsSame ? [] : 'If-Match'].flat();
    throw unreliable(this.#options, `takes no notice of ${unheeded.join(' and ')}`);
  }

  /** Asks for what is there to be written again, which changes nothing if it is done. */
  async #isRefused(condition: Condition, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#send(this.#content, condition, signal);
      return false;
    } catch (error) {
      if (isRefusal(error)) return true;
      throw error;
    }
  }

  /**
   * One after the other.
   * @throws StreamWeldError SW_CHECKPOINT_FENCED where another has taken it over, S3Error SW_S3_LEDGER_MISSING where it is gone
   */
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

  /** Answers false where an earlier change of this sink was made after all: then it is adopted, and this one is not made. */
  async #tryPut(next: LedgerContent, signal: AbortSignal): Promise<boolean> {
    const { conditional, epoch } = this.#options;
    const etag = this.#etag;
    const condition: Condition = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
    this.#revision = Math.max(this.#revision, this.#content.revision) + 1;
    const content: LedgerContent = { ...next, epoch, revision: this.#revision };
    try {
      this.#etag = await this.#send(content, conditional ? condition : {}, signal);
      this.#content = content;
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    const found = await this.#read(signal);
    // The same again would be refused again, without end.
    if (found?.etag === etag) throw unreliable(this.#options, 'refuses a condition that is met');
    if (found === undefined) throw missingLedger(this.#options);
    if (found.content.epoch !== epoch) {
      this.successor = found.content;
      throw fenced(this.#options);
    }
    // What it was told, and has answered, is not in it: numbers would come twice.
    if (found.content.revision < this.#content.revision)
      throw damagedLedger(
        this.#options,
        'somebody has brought back an older one, and lost what was written since',
      );
    this.#adopt(found);
    return found.content.revision === content.revision;
  }

  /** Answers its etag. */
  async #send(content: LedgerContent, condition: Condition, signal: AbortSignal): Promise<string> {
    const { store, bucket, key, retryMs, stage } = this.#options;
    const body = Buffer.from(JSON.stringify(content));
    const request = { bucket, key, body, contentType: 'application/json', ...condition };
    try {
      return await patiently(retryMs, signal, () => store.put(request, signal));
    } catch (error) {
      const isConditional = Object.keys(condition).length > 0;
      throw isConditional && hasCode(error, 'SW_S3_UNSUPPORTED')
        ? unconditional(error, stage, bucket)
        : error;
    }
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
    const content = parseLedger(bytes);
    if (typeof content === 'string') throw damagedLedger(this.#options, content);
    return content;
  }
}

/** The ledger is not the one that it was: also where it was not there, or is not any more. */
function isRefusal(error: unknown): boolean {
  return (
    hasCode(error, 'SW_S3_OBJECT_CHANGED') ||
    hasCode(error, 'SW_S3_OBJECT_EXISTS') ||
    hasCode(error, 'SW_S3_OBJECT_MISSING')
  );
}
