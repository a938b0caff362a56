/** The shared rules of sources, put to S3Source. A test begins with the number of the rule. */

import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type SeededPlace, sourceSuite } from '@streamweld/testing';
import { test } from 'vitest';
import type { S3Position } from '../src/position.ts';
import { S3Source } from '../src/source.ts';
import type { S3SourceOptions } from '../src/source-options.ts';
import { type Buckets, describeWithS3 } from './service.ts';

interface Kind {
  readonly objects?: number;
  readonly isGzip?: boolean;
  readonly options?: (keys: readonly string[]) => Partial<S3SourceOptions>;
}

const text = (n: number): string => `a line told apart ${n}`;

async function fill(
  { bucket, put, reach }: Buckets,
  { objects = 3, isGzip = false, options }: Kind,
  contents: (n: number) => string,
  count: number,
): Promise<SeededPlace<unknown, S3Position>> {
  const prefix = `${randomUUID()}/`;
  const items = Array.from({ length: count }, (_, n) => text(n));
  const share = Math.ceil(count / objects);
  const keys: string[] = [];
  for (let at = 0; at < objects; at += 1) {
    const key = `${prefix}${at}.log`;
    const own = items.slice(at * share, (at + 1) * share).map((_, n) => `${contents(at * share + n)}\n`);
    await put(key, isGzip ? gzipSync(own.join('')) : own.join(''));
    keys.push(key);
  }
  return {
    items,
    create: () =>
      new S3Source({
        ...reach,
        bucket,
        readAhead: { maxObjects: 2, maxBytes: 1 << 18 },
        ...(options?.(keys) ?? { prefix }),
      }) as S3Source<unknown>,
  };
}

describeWithS3('the rules', (buckets) => {
  const rules = (title: string, kind: Kind): void =>
    sourceSuite<unknown, S3Position>({ describe: (_title, body) => body(), test }, title, {
      seed: (count) => fill(buckets(), kind, text, count),
      absurdPositions: () => [
        { key: 'of/another/place', etag: '"1"', offset: 0, record: 0 },
        { key: 'of/another/place', etag: '"1"', offset: -1, record: 0 },
      ],
      createDenied: (_place, secret) =>
        new S3Source({
          ...buckets().reach,
          credentials: { accessKeyId: 'streamweld', secretAccessKey: secret },
          bucket: buckets().bucket,
          prefix: 'denied/',
        }),
      largeCount: 500_000,
      seedDamaged: async (secret) => {
        const { reach, bucket, put } = buckets();
        const prefix = `${randomUUID()}/`;
        await put(`${prefix}damaged`, `{"password":"${secret}"}\n{"password": "${secret}\n`);
        return {
          items: [],
          create: () => new S3Source({ ...reach, bucket, prefix, format: 'ndjson' }) as S3Source<unknown>,
        };
      },
    });

  rules('objects behind a prefix', {});
  rules('compressed objects', { isGzip: true });
  rules('objects of a list', { options: (keys) => ({ keys }) });
  rules('objects as they are ready', { options: (keys) => ({ keys, order: 'ready' }) });
});
