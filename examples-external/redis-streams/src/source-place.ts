/**
 * Where a source stands in its stream, and whether the stream between there and what it reads next is whole.
 *
 *     added ever:   1 2 3 4 5 6 7 8 9          index of the first that is there = added − length + 1
 *     trimmed:      x x x x
 *     the place:        ^ 3                    4 was trimmed before it was read: told
 */

import { isStreamWeldError } from '@streamweld/core/connector';
import {
  compareIds,
  indexOfFirst,
  isPosition,
  type RedisEntry,
  type RedisPosition,
  type StreamInfo,
  toEntries,
  toStreamInfo,
} from './entries.ts';
import { RedisError, type RedisErrorCode } from './errors.ts';
import type { CheckedSourceOptions } from './options.ts';

/** Sends one command. `action` is for the sentence `Could not …`. */
export type Send = (args: string[], action: string) => Promise<unknown>;

/** Before the first entry. */
const BEGINNING = '0-0';

export class Place {
  readonly #options: CheckedSourceOptions;
  readonly #send: Send;
  #id = BEGINNING;
  /** Of the entry at the place; 0 before the first. `null` where it is not known. */
  #index: number | null = 0;

  constructor(options: CheckedSourceOptions, send: Send) {
    this.#options = options;
    this.#send = send;
  }

  get id(): string {
    return this.#id;
  }

  /**
   * Takes a position, which has to be one of this stream.
   * @returns the id of the last entry that was ever added; nothing where there is no stream yet.
   */
  async open(position: unknown): Promise<string | undefined> {
    if (position !== undefined && !isPosition(position)) {
      throw this.#error(
        'REDIS_POSITION_INVALID',
        'What is to be resumed from is no position of a stream. Is the checkpoint of another pipeline? Give this one a name of its own.',
      );
    }
    const info = await this.#info();
    if (position === undefined) {
      this.#id = BEGINNING;
      // What a reader that begins did not see it does not miss.
      this.#index = info === undefined ? 0 : less(indexOfFirst(info));
      return info?.lastId;
    }
    if (info === undefined) throw this.#gone();
    await this.#check(position, info);
    this.#id = position.id;
    this.#index = position.index;
    return info.lastId;
  }

  /** An id that the stream has never had would resume somewhere, and look like success. */
  async #check({ id, index }: RedisPosition, info: StreamInfo): Promise<void> {
    const isBeyond = compareIds(id, info.lastId) > 0 || (index ?? 0) > (info.added ?? Infinity);
    if (!isBeyond) {
      // Trimmed, or removed since: that there was one cannot be told any more.
      if (
        info.firstId === undefined ||
        compareIds(id, info.firstId) < 0 ||
        compareIds(id, info.deletedId) <= 0
      )
        return;
      const found = toEntries(
        await this.#send(['XRANGE', this.#options.stream, id, id], 'look for the position'),
      );
      if (found.length > 0) return;
    }
    throw this.#error(
      'REDIS_POSITION_INVALID',
      `The position to resume from is not of the stream ${JSON.stringify(this.#options.stream)} as it is now: it has never had that entry. Was the stream made anew, restored from an earlier state, or is the checkpoint of another? To read it from its beginning, give the checkpoint another name.`,
    );
  }

  /** @returns the position behind these entries, which is the place from now on. */
  passed(items: readonly RedisEntry[]): RedisPosition {
    const { id } = items.at(-1) as RedisEntry;
    this.#id = id;
    if (this.#index !== null) this.#index += items.length;
    return { id, index: this.#index };
  }

  /**
   * Asked where the entry at the place is not there any more: is nothing missing between the place and `next`, the first entry
   * that is there behind it?
   * @param until the last entry that was asked for; `+` for all.
   * @returns false where the stream has changed meanwhile, and has to be read again.
   * @throws RedisError REDIS_STREAM_TRIMMED, REDIS_STREAM_GONE.
   */
  async isWhole(next: string | undefined, until: string): Promise<boolean> {
    const isAtBeginning = this.#id === BEGINNING;
    const info = await this.#info();
    if (info === undefined) {
      if (isAtBeginning) return true;
      throw this.#gone();
    }
    if (isAtBeginning) {
      if (next !== undefined) this.#index = next === info.firstId ? less(indexOfFirst(info)) : null;
      return true;
    }
    if (compareIds(info.lastId, this.#id) < 0) throw this.#gone();
    // Nothing was added behind the place, or what is before it is still there.
    if (info.lastId === this.#id) return true;
    if (info.firstId !== undefined && compareIds(info.firstId, this.#id) < 0) return true;
    const { firstId } = info;
    const isBeyond =
      next === undefined && (firstId === undefined || (until !== '+' && compareIds(firstId, until) > 0));
    if (firstId !== next && !isBeyond) return false;
    const index = indexOfFirst(info);
    const lost = index === null || this.#index === null ? undefined : index - this.#index - 1;
    if (lost === 0) return true;
    if (lost !== undefined && lost < 0) throw this.#gone();
    if (this.#options.whenTrimmed === 'fail') throw this.#trimmed(lost);
    this.#index = less(index);
    return true;
  }

  async #info(): Promise<StreamInfo | undefined> {
    try {
      return toStreamInfo(await this.#send(['XINFO', 'STREAM', this.#options.stream], 'look at the stream'));
    } catch (error) {
      if (isStreamWeldError(error) && error.code === 'REDIS_STREAM_GONE') return undefined;
      throw error;
    }
  }

  #trimmed(lost: number | undefined): RedisError {
    const many =
      lost === undefined ? 'Entries (how many cannot be told)' : lost === 1 ? '1 entry' : `${lost} entries`;
    return this.#error(
      'REDIS_STREAM_TRIMMED',
      `${many} of the stream ${JSON.stringify(this.#options.stream)} behind ${this.#id} ${lost === 1 ? 'was' : 'were'} trimmed or removed before ${this.#options.name} had read ${lost === 1 ? 'it' : 'them'}, and cannot be read any more. Keep more entries (MAXLEN, MINID of whoever trims), or let the source pass by what is missing: whenTrimmed: 'goOn'.`,
    );
  }

  #gone(): RedisError {
    return this.#error(
      'REDIS_STREAM_GONE',
      `The stream ${JSON.stringify(this.#options.stream)} that was read up to ${this.#id} is not there any more, or was made anew: deleted, flushed, or lost with the server's last writes. To read the new one from its beginning, run again with another name for the checkpoint.`,
    );
  }

  #error(code: RedisErrorCode, message: string): RedisError {
    return new RedisError(code, message, { stage: this.#options.name });
  }
}

/** The index before this one. */
function less(index: number | null): number | null {
  return index === null ? null : index - 1;
}
