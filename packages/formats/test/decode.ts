/** How tests drive a decoder. */

import type { Decoder, DecoderOptions, Format } from '@streamweld/formats';

export interface Decoded<T> {
  readonly items: T[];
  /** The offset and record after each take, with the items taken until then. */
  readonly stops: { readonly offset: number; readonly record: number; readonly taken: number }[];
  readonly decoder: Decoder<T>;
  readonly error?: unknown;
}

export function takeAll<T>(decoder: Decoder<T>, into: T[], max: number, afterTake?: () => void): void {
  for (let items = decoder.take(max); items.length > 0; items = decoder.take(max)) {
    into.push(...items);
    afterTake?.();
  }
}

/** Decodes `bytes` in chunks that end at `cuts`; each chunk is overwritten once it is its owner's again. */
export function decodeCut<T>(
  format: Format<T, never>,
  bytes: Uint8Array,
  cuts: readonly number[],
  options: { readonly max?: number; readonly at?: DecoderOptions } = {},
): Decoded<T> {
  const decoder = format.decoder(options.at);
  const items: T[] = [];
  const stops: Decoded<T>['stops'] = [];
  const max = options.max ?? 3;
  const afterTake = (): void => {
    stops.push({ offset: decoder.offset, record: decoder.record, taken: items.length });
  };
  try {
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      const chunk = Uint8Array.from(bytes.subarray(from, to));
      decoder.push(chunk);
      takeAll(decoder, items, max, afterTake);
      chunk.fill(0x58);
      from = to;
    }
    decoder.end();
    takeAll(decoder, items, max, afterTake);
  } catch (error) {
    return { items, stops, decoder, error };
  }
  return { items, stops, decoder };
}

/** Decodes `bytes` in chunks of `size`. */
export function decode<T>(
  format: Format<T, never>,
  bytes: Uint8Array | string,
  size = 1 << 20,
  options: { readonly max?: number; readonly at?: DecoderOptions } = {},
): Decoded<T> {
  const buffer = Buffer.from(bytes as string);
  const cuts: number[] = [];
  for (let at = size; at < buffer.length; at += size) cuts.push(at);
  return decodeCut(format, buffer, cuts, options);
}
