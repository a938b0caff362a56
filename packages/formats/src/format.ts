/**
 * The contract of a format: bytes to items and back, whatever they come from. Nothing here reads or writes.
 *
 *     bytes ──► push ─┐                                     ┌─► encode ──► bytes
 *     end ────► end  ─┴─► take ──► items        items ──────┴─► end ─────► the last bytes
 *
 * A format holds no state: every decoder and every encoder it makes starts anew.
 */

export type FormatName = 'lines' | 'ndjson' | 'csv' | 'bytes';

/** `T` is what decoding gives; `I` is what encoding takes, which may be wider (a CSV takes numbers and gives text). */
export interface Format<T, I = T> {
  readonly name: string;
  /** The media type, for those who store what they write under one. */
  readonly contentType: string;
  decoder(options?: DecoderOptions): Decoder<T>;
  encoder(options?: EncoderOptions): Encoder<I>;
}

/** Where an encoder starts. Without it: at the beginning of a document. */
export interface EncoderOptions {
  /**
   * The `header` of the encoder, or of a decoder, of the same document: what is encoded goes behind what it holds. A CSV
   * then has these columns, and does not name them again.
   */
  readonly header?: readonly string[] | undefined;
}

/** Where a decoder starts. Without it: at the beginning of the stream. */
export interface DecoderOptions {
  /** The `offset` of an earlier decoder: the first byte pushed is taken to lie there. Above 0 no BOM is looked for. */
  readonly offset?: number | undefined;
  /** The `record` of an earlier decoder, so that numbers in messages go on. Default 0. */
  readonly record?: number | undefined;
  /** The `header` of an earlier decoder: a CSV that is resumed in the middle cannot read it any more. */
  readonly header?: readonly string[] | undefined;
  /** Whoever pushes gives its chunks away for good, and writes into none again: what is items as it is need not be copied. */
  readonly ownsChunks?: boolean | undefined;
}

/**
 * Turns the chunks of one stream into items.
 *
 * Push a chunk, take until the answer is empty, push the next; after `end`, take until it is empty once more.
 * Where chunks are cut makes no difference.
 */
export interface Decoder<T> {
  /** More bytes. The chunk belongs to the decoder until `take` has answered empty; then it may be written into again. */
  push(chunk: Uint8Array): void;
  /** No more bytes will come: what is left is the last record, or an error. */
  end(): void;
  /**
   * Only where a record is known to be whole by what follows it: nothing has followed for a while, so take what there
   * is for whole, as far as it ends with a line end. More may be pushed afterwards.
   */
  flush?(): void;
  /**
   * Answers 1 to `max` items, in order. Empty means: more bytes are needed or, after `end`, finished.
   * It throws at the first record that cannot be decoded, having answered all before it; from then on it throws the same.
   */
  take(max: number): readonly T[];
  /**
   * Bytes of the decoded stream up to the end of the last record taken. A decoder that starts there, and is pushed
   * what lies behind it, gives exactly the rest.
   */
  readonly offset: number;
  /** Records taken so far. */
  readonly record: number;
  /** Records left out because an option said so (`onLongLine: 'skip'`). */
  readonly skipped?: number;
  /** The columns of a CSV once they are known: what a decoder that starts in the middle is given. */
  readonly header?: readonly string[] | undefined;
}

/** Turns items into the bytes of one document. */
export interface Encoder<I> {
  /** The bytes of these items. An item that cannot be written throws a FormatError with its `index`, and none is written. */
  encode(items: readonly I[]): Uint8Array;
  /** What closes the document, often nothing. */
  end(): Uint8Array;
  /** The columns of a CSV that names them, once they are known: what an encoder that goes on behind it is given. */
  readonly header?: readonly string[] | undefined;
}
