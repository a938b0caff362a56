/**
 * What reading objects costs: half of `pnpm bench:s3`.
 *
 * Rivals take turns on one server and the same objects, at the same concurrency. The bare loop sends GetObject with the SDK
 * itself and counts the bytes of each body. S3Source runs through a ConcurrentPipeline into a sink that counts the bytes of
 * its items, in the order of the keys and as they are ready.
 *
 * Rounds are short and many, in an order that is drawn each time: what else the machine does then falls on all alike. Nobody
 * calls the garbage collector in between: it would also throw away code that was compiled, at whose cost is chance. Printed
 * are medians, by the clock on the wall and by the processor time of this process; a ratio is the median of the ratios of each
 * round to the bare loop in it. `--check` exits with 1 where one is below its aim by both. `ROUNDS=10` shortens it.
 */

import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ConcurrentPipeline } from '@streamweld/core';
import { startS3 } from '../../../tools/services/s3.ts';
import { S3Source } from '../src/source.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 60);
const AT_ONCE = 8;
const AIM = 0.95;
const LOADS = [
  { objects: 200, bytes: 64 << 10 },
  { objects: 64, bytes: 1 << 20 },
  { objects: 16, bytes: 16 << 20 },
];

const service = await startS3();
const { endpoint, region, credentials } = service;
const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
const Bucket = `bench-${Date.now()}`;

async function fill(prefix: string, objects: number, bytes: number): Promise<void> {
  const body = randomBytes(bytes);
  for (let at = 0; at < objects; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, objects - at) }, (_, n) => at + n);
    await Promise.all(
      some.map((n) => client.send(new PutObjectCommand({ Bucket, Key: `${prefix}${n}`, Body: body }))),
    );
  }
}

async function bare(prefix: string): Promise<number> {
  let bytes = 0;
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix }));
  const keys = Contents.map(({ Key }) => Key);
  const read = async (): Promise<void> => {
    for (let Key = keys.shift(); Key !== undefined; Key = keys.shift()) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      for await (const chunk of Body as Readable) bytes += (chunk as Buffer).byteLength;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, read));
  return bytes;
}

async function bySource(prefix: string, order: 'listed' | 'ready'): Promise<number> {
  let bytes = 0;
  const source = new S3Source({
    // The same, warm: what is made once is not measured.
    client,
    bucket: Bucket,
    prefix,
    order,
    format: 'bytes',
    readAhead: { maxObjects: AT_ONCE },
  });
  await new ConcurrentPipeline(source, (chunks: readonly Uint8Array[]) => {
    for (const chunk of chunks) bytes += chunk.byteLength;
  }).run();
  return bytes;
}

const rivals: Readonly<Record<string, (prefix: string) => Promise<number>>> = {
  'bare GetObject': bare,
  'S3Source, as listed': (prefix) => bySource(prefix, 'listed'),
  'S3Source, as ready': (prefix) => bySource(prefix, 'ready'),
};

/** Nobody always comes behind the same other. */
function shuffled(names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ name }) => name);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

interface Times {
  readonly wall: number;
  readonly cpu: number;
}

async function measure(run: () => Promise<number>, due: number): Promise<Times> {
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const bytes = await run();
  const wall = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (bytes !== due) throw new Error(`${bytes} bytes came, and ${due} were due.`);
  return { wall, cpu: (user + system) / 1000 };
}

let isSlow = false;
await client.send(new CreateBucketCommand({ Bucket }));
for (const { objects, bytes } of LOADS) {
  const prefix = `${objects}x${bytes}/`;
  await fill(prefix, objects, bytes);
  const times = new Map<string, Times[]>(Object.keys(rivals).map((name) => [name, []]));
  // The first of all warms up, and counts for nothing.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const name of shuffled(Object.keys(rivals))) {
      const taken = await measure(
        () => (rivals[name] as (prefix: string) => Promise<number>)(prefix),
        objects * bytes,
      );
      if (round > 0) times.get(name)?.push(taken);
    }
  }
  console.log(`\nreading ${objects} objects of ${bytes >> 10} KiB, ${AT_ONCE} at once`);
  const base = times.get('bare GetObject') as Times[];
  for (const [name, own] of times) {
    const [wall, cpu] = (['wall', 'cpu'] as const).map((what) =>
      median(own.map((each, round) => (base[round] as Times)[what] / each[what])),
    ) as [number, number];
    isSlow ||= wall < AIM && cpu < AIM;
    const rate = (objects * bytes) / (1 << 20) / (median(own.map((each) => each.wall)) / 1000);
    console.log(
      `  ${name.padEnd(24)}${rate.toFixed(0).padStart(6)} MiB/s   ${wall.toFixed(2)} of bare (${cpu.toFixed(2)} by processor time)`,
    );
  }
}
client.destroy();
await service.stop();
if (isSlow && process.argv.includes('--check')) process.exitCode = 1;
