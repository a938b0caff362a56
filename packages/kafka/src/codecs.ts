/**
 * The codecs of compressions that kafkajs knows by name alone. Each is loaded when it is first needed; where one was given
 * to kafkajs by somebody else, that one stays.
 */

import zlib from 'node:zlib';
import kafkajs from 'kafkajs';
import type { Compression } from './client.ts';
import { KafkaError } from './errors.ts';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

interface Plan {
  readonly type: number;
  readonly packageName: string;
  readonly load: (name: string) => Promise<Codec>;
}

type Compress = (bytes: Buffer) => Buffer | Promise<Buffer>;

const { CompressionTypes, CompressionCodecs } = kafkajs;

const PLANS: Readonly<Partial<Record<Compression, Plan>>> = {
  snappy: {
    type: CompressionTypes.Snappy,
    packageName: 'kafkajs-snappy',
    async load(name) {
      const found = (await import(name)) as { readonly default: () => Codec };
      return found.default();
    },
  },
  lz4: {
    type: CompressionTypes.LZ4,
    packageName: 'lz4-napi',
    async load(name) {
      const { default: lz4 } = (await import(name)) as {
        readonly default: { readonly compressFrame: Compress; readonly decompressFrame: Compress };
      };
      return codec(lz4.compressFrame, lz4.decompressFrame);
    },
  },
  zstd: {
    type: CompressionTypes.ZSTD,
    packageName: 'zstd-napi',
    async load(name) {
      // Node has it from 22.15 on.
      const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as Record<
        string,
        Compress | undefined
      >;
      if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
        return codec(zstdCompressSync, zstdDecompressSync);
      }
      const { default: zstd } = (await import(name)) as {
        readonly default: { readonly compress: Compress; readonly decompress: Compress };
      };
      return codec(zstd.compress, zstd.decompress);
    },
  },
};

function codec(compress: Compress, decompress: Compress): Codec {
  return {
    compress: async ({ buffer }) => compress(buffer),
    decompress: async (buffer) => decompress(buffer),
  };
}

/** Gives kafkajs what it lacks; it costs nothing until it is used. */
export function registerCodecs(): void {
  for (const [compression, plan] of Object.entries(PLANS)) {
    if (hasCodec(plan.type)) continue;
    let loading: Promise<Codec> | undefined;
    const loaded = (): Promise<Codec> => (loading ??= load(compression, plan));
    CompressionCodecs[plan.type as never] = (() => ({
      compress: async (encoder: { readonly buffer: Buffer }) => (await loaded()).compress(encoder),
      decompress: async (buffer: Buffer) => (await loaded()).decompress(buffer),
    })) as never;
  }
}

/** @throws KafkaError SW_KAFKA_COMPRESSION_MISSING, before anything is written with it */
export async function checkCodec(compression: Compression): Promise<void> {
  const plan = PLANS[compression];
  if (plan === undefined) return;
  const codecs = CompressionCodecs as unknown as Record<number, () => Codec>;
  await codecs[plan.type]?.().compress({ buffer: Buffer.from('it works') });
}

function hasCodec(type: number): boolean {
  try {
    (CompressionCodecs as unknown as Record<number, () => unknown>)[type]?.();
    return true;
  } catch {
    return false;
  }
}

async function load(compression: string, { packageName, load }: Plan): Promise<Codec> {
  try {
    return await load(packageName);
  } catch {
    throw new KafkaError(
      'SW_KAFKA_COMPRESSION_MISSING',
      `Compression '${compression}' needs the package ${packageName}, and it is not there or does not work here. Install it beside @streamweld/kafka, or take 'gzip', which is built in.`,
    );
  }
}
