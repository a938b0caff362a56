/** Which objects are read, one after the other, and where each begins. */

import { createHash } from 'node:crypto';
import type { S3Store } from './client.ts';
import { S3Error } from './errors.ts';
import { checkPositions, invalidPosition, laneOf, type S3Position } from './position.ts';
import { wasDamaged } from './source-failures.ts';
import { listObjects } from './source-listing.ts';
import { type CheckedSourceOptions, isAsync, type ObjectKey } from './source-options.ts';

/** One object that is to be read. */
export interface Leg {
  readonly key: string;
  /** Only that version of it. */
  readonly ifMatch?: string | undefined;
  /** Where to go on in it. Where that is its end, there is nothing to read, and whoever sees to ended objects is told of it. */
  readonly from?: S3Position | undefined;
  readonly index?: number | undefined;
  /** Bytes, as it was listed. */
  readonly size?: number | undefined;
  readonly list?: string | undefined;
}

type Positions = ReadonlyMap<string, S3Position>;

export class Legs {
  /** The lane of all objects; nothing where each has its own. */
  readonly #lane: string | undefined;
  /** The lanes that were begun, by an earlier run or by this one, where each object has its own. */
  readonly #begun: Set<string> = new Set();
  /** Where earlier runs stood. */
  readonly #positions: Positions;
  /** The ends that this run handed out, of objects that a queue may tell of again. */
  readonly #ends: Map<string, S3Position> = new Map();
  readonly #options: CheckedSourceOptions;
  readonly #store: S3Store;
  readonly #signal: AbortSignal;
  readonly #onPage: () => void;
  #given: Iterator<ObjectKey> | AsyncIterator<ObjectKey> | undefined;
  readonly #legs: AsyncGenerator<Leg, void, undefined>;

  /** @throws S3Error SW_S3_POSITION_INVALID, SW_S3_OBJECT_CORRUPT */
  constructor(
    store: S3Store,
    options: CheckedSourceOptions,
    positions: Positions,
    signal: AbortSignal,
    onPage: () => void,
  ) {
    const { bucket, prefix, keys, order, name } = options;
    this.#options = options;
    this.#store = store;
    this.#signal = signal;
    this.#onPage = onPage;
    this.#positions = positions;
    const isOneLane = order === 'listed' && (keys === undefined || !isAsync(keys));
    this.#lane = isOneLane ? `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}` : undefined;
    checkPositions(positions, {
      stage: name,
      misfit: (lane, position) => this.#misfit(lane, position),
    });
    for (const position of positions.values())
      if (position.damaged === true) throw wasDamaged(position, bucket, name);
    if (this.#lane === undefined) for (const lane of positions.keys()) this.#begun.add(lane);
    this.#legs = this.#lane === undefined ? this.#laneEach() : this.#oneLane(positions.get(this.#lane));
  }

  /** Of an object, in this version. Nothing tells two queues apart but the name that somebody gave to who reads them. */
  laneOf({ key, etag }: { readonly key: string; readonly etag: string }): string {
    if (this.#lane !== undefined) return this.#lane;
    const { bucket, givenName } = this.#options;
    return `${givenName === undefined ? '' : `${givenName}: `}${laneOf(bucket, key, etag)}`;
  }

  /** Undefined behind the last. */
  async next(): Promise<Leg | undefined> {
    const { done, value } = await this.#legs.next();
    return done === true ? undefined : value;
  }

  /** Whether an object is to be read that turned out to be this version, and has not been begun before. */
  begin({ key, from }: Leg, etag: string): boolean {
    if (this.#lane !== undefined || from !== undefined) return true;
    const lane = this.laneOf({ key, etag });
    if (this.#begun.has(lane)) return false;
    this.#begun.add(lane);
    return true;
  }

  /** Where an object ended that is not to be begun, if anybody is to be told. */
  ended({ key }: Leg, etag: string): S3Position | undefined {
    return this.#endOf(this.laneOf({ key, etag }));
  }

  /** Where one ended that was read under this key, where a queue tells of it again and not of which version. */
  endedUnder({ key, ifMatch }: Leg): S3Position | undefined {
    if (this.#lane !== undefined || this.#options.keys === undefined || ifMatch !== undefined)
      return undefined;
    const stood = [...this.#positions.values(), ...this.#ends.values()];
    return stood.findLast((position) => position.key === key && position.done === true);
  }

  /** The end of an object was handed out. */
  handedOut(lane: string, end: S3Position): void {
    const { keys, after } = this.#options;
    if (this.#lane === undefined && keys !== undefined && after !== undefined) this.#ends.set(lane, end);
  }

  /** Ends whoever gives the keys, and does not wait for it: a queue may have nothing to say for long. */
  end(): void {
    const ended = this.#given?.return?.();
    Promise.resolve(ended).catch(() => {});
    this.#legs.return(undefined).catch(() => {});
  }

  async *#oneLane(from: S3Position | undefined): AsyncGenerator<Leg, void, undefined> {
    if (this.#options.keys !== undefined) {
      yield* this.#inList(from);
      return;
    }
    if (this.#isToResume(from)) yield { key: from.key, ifMatch: from.etag, from };
    for await (const { key, size } of this.#listed(from?.key)) yield { key, size };
  }

  async *#inList(from: S3Position | undefined): AsyncGenerator<Leg, void, undefined> {
    const first = from?.index ?? 0;
    const hash = createHash('sha256');
    let index = 0;
    for await (const { key, etag } of this.#keys()) {
      hash.update(`${Buffer.byteLength(key)} ${key}`);
      if (index >= first) {
        const list = hash.copy().digest('hex').slice(0, 16);
        if (index > first || from === undefined) yield { key, ifMatch: etag, index, list };
        else if (key !== from.key || list !== from.list)
          throw invalidPosition(
            this.#options.name,
            `at key ${index + 1} of the list: it, or one before it, is another than it was`,
          );
        else if (this.#isToResume(from)) yield { key, ifMatch: from.etag, from, index, list };
      }
      index += 1;
    }
    if (from !== undefined && index <= first)
      throw invalidPosition(this.#options.name, `at key ${first + 1} of the list: it has only ${index}`);
  }

  async *#laneEach(): AsyncGenerator<Leg, void, undefined> {
    for (const from of this.#positions.values())
      if (from.done !== true) yield { key: from.key, ifMatch: from.etag, from };
    const objects = this.#options.keys === undefined ? this.#listed() : this.#keys();
    for await (const { key, etag, size } of objects) {
      const lane = etag === undefined ? undefined : this.laneOf({ key, etag });
      // What is listed is read as it is then; what is given with an etag, that version alone.
      if (lane === undefined || !this.#begun.has(lane))
        yield { key, ifMatch: this.#options.keys === undefined ? undefined : etag, size };
      else if (this.#endOf(lane) !== undefined) yield { key, from: this.#endOf(lane) };
    }
  }

  /** Whether there is something to do where an earlier run stood: to read on, or to see to what is read. */
  #isToResume(from: S3Position | undefined): from is S3Position {
    return from !== undefined && (from.done !== true || this.#options.after !== undefined);
  }

  #endOf(lane: string): S3Position | undefined {
    if (this.#options.after === undefined) return undefined;
    const stood = this.#ends.get(lane) ?? this.#positions.get(lane);
    return stood?.done === true ? stood : undefined;
  }

  #listed(startAfter?: string): ReturnType<typeof listObjects> {
    const options = { ...this.#options, isOrdered: this.#lane !== undefined, onPage: () => this.#onPage() };
    return listObjects(this.#store, options, startAfter, this.#signal);
  }

  async *#keys(): AsyncGenerator<Pick<Leg, 'key' | 'size'> & { readonly etag?: string | undefined }> {
    const { keys, name } = this.#options;
    if (keys === undefined) return;
    const given = isAsync(keys) ? keys[Symbol.asyncIterator]() : keys[Symbol.iterator]();
    this.#given = given;
    for (let each = await given.next(); each.done !== true; each = await given.next()) {
      const object = typeof each.value === 'string' ? { key: each.value } : each.value;
      if (typeof object?.key !== 'string' || object.key === '') {
        throw new S3Error(
          'SW_S3_KEY_INVALID',
          'One of the keys is none: it must be a text that is not empty, or an object with such a key.',
          { stage: name },
        );
      }
      yield { key: object.key, etag: object.etag === undefined ? undefined : quoted(object.etag) };
    }
  }

  /** What a position has to have to be one of this source. */
  #misfit(lane: string, { key, etag, index, gzip, offset }: S3Position): string | undefined {
    const { prefix, keys, compression } = this.#options;
    const own = this.laneOf({ key, etag });
    if (lane !== own) return `it is no lane of this source, which has ${JSON.stringify(own)}`;
    if (!key.startsWith(prefix)) return 'its object is not behind the prefix';
    if ((index !== undefined) !== (this.#lane !== undefined && keys !== undefined))
      return 'it is of a list where there is none, or of none where there is one';
    const isOther = gzip === true ? compression === 'none' : compression === 'gzip' && offset > 0;
    return isOther ? 'its object was read with another compression' : undefined;
  }
}

/** Notices of S3 have etags without their quotation marks, and a condition has them with. */
function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
