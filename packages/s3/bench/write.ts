/**
 * What writing objects costs: half of `pnpm bench:s3`.
 *
 * Rivals take turns on one server, with the same bytes from the same memory. lib-storage's Upload is given a stream of chunks for
 * each object, with parts of the size of S3Sink and with its own, at the same number of objects at once. S3Sink runs in a
 * ConcurrentPipeline from a source of the same chunks, its ledger included. Medians of the rounds are printed, by the clock on
 * the wall and by the processor time of this process, which a busy machine disturbs less; a ratio is the median of the ratios
 * of each round to the better of the two. `--check` exits with 1 where it is below its aim by both. `ROUNDS=1` shortens it.
 */

import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { ConcurrentPipeline } from '@streamweld/core';
import { startS3 } from '../../../tools/services/s3.ts';
import { S3Sink } from '../src/sink.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 7);
const AIM = 1;
const CHUNK = 256 << 10;
const PART = 8 << 20;
const LOADS = [
  { objects: 1, bytes: 256 << 20, atOnce: 1 },
  { objects: 16, bytes: 16 << 20, atOnce: 8 },
  { objects: 200, bytes: 1 << 20, atOnce: 8 },
];
type Load = (typeof LOADS)[number];

const service = await startS3();
const { endpoint, region, credentials } = service;
const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
const Bucket = `bench-${Date.now()}`;
const chunk = randomBytes(CHUNK);

async function byUpload({ objects, bytes, atOnce }: Load, prefix: string, partSize?: number): Promise<void> {
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < objects) {
      const Key = `${prefix}${next}`;
      next += 1;
      const Body = Readable.from(Array.from({ length: bytes / CHUNK }, () => chunk));
      await new Upload({
        client,
        params: { Bucket, Key, Body },
        ...(partSize === undefined ? undefined : { partSize }),
      }).done();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, write));
}

/** Chunks of several objects in turn, as they come where each item says by itself where it belongs. */
function* chunks({ objects, bytes, atOnce }: Load): Generator<{ readonly object: number }> {
  for (let from = 0; from < objects; from += atOnce) {
    for (let n = 0; n < bytes / CHUNK; n += 1) {
      for (let object = from; object < Math.min(objects, from + atOnce); object += 1) yield { object };
    }
  }
}

/** The bytes of each item are there already, as they are for Upload. */
const format = {
  name: 'bytes',
  contentType: 'application/octet-stream',
  decoder: () => {
    throw new Error('It is only written.');
  },
  encoder: () => ({
    encode: (items: readonly unknown[]) =>
      items.length === 1 ? chunk : Buffer.concat(items.map(() => chunk)),
    end: () => new Uint8Array(),
  }),
};

async function bySink(load: Load, prefix: string): Promise<void> {
  const sink = new S3Sink<{ readonly object: number }>({
    // The same, warm: what is made once is not measured.
    client,
    bucket: Bucket,
    key: `${prefix}{by}-{sequence}`,
    by: ({ object }) => String(object),
    format,
    ledger: `${prefix}ledger`,
    partBytes: PART,
    maxOpen: load.atOnce,
    roll: { maxBytes: load.bytes },
  });
  await new ConcurrentPipeline(chunks(load), sink).bufferSize(64).run();
}

const rivals: Readonly<Record<string, (load: Load, prefix: string) => Promise<void>>> = {
  'Upload, parts of 8 MiB': (load, prefix) => byUpload(load, prefix, PART),
  'Upload, its own parts': (load, prefix) => byUpload(load, prefix),
  S3Sink: bySink,
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

interface Times {
  readonly wall: number;
  readonly cpu: number;
}

/** All of it is there, and is taken away again. */
async function clear(prefix: string, due: number): Promise<void> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix }));
  const objects = Contents.filter(({ Key = '' }) => !Key.endsWith('ledger'));
  const bytes = objects.reduce((sum, { Size = 0 }) => sum + Size, 0);
  if (bytes !== due) throw new Error(`${bytes} bytes are there, and ${due} were due.`);
  await client.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: Contents.map(({ Key = '' }) => ({ Key })) } }),
  );
}

async function measure(run: () => Promise<void>): Promise<Times> {
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  await run();
  const wall = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wall, cpu: (user + system) / 1000 };
}

let isSlow = false;
await client.send(new CreateBucketCommand({ Bucket }));
for (const load of LOADS) {
  const names = Object.keys(rivals);
  const times = new Map<string, Times[]>(names.map((name) => [name, []]));
  // The first of all warms up, and counts for nothing.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round) % names.length] as string;
      const prefix = `${load.objects}-${round}-${turn}/`;
      const taken = await measure(() =>
        (rivals[name] as (load: Load, prefix: string) => Promise<void>)(load, prefix),
      );
      await clear(prefix, load.objects * load.bytes);
      if (round > 0) times.get(name)?.push(taken);
    }
  }
  const megabytes = (load.objects * load.bytes) / (1 << 20);
  console.log(`${load.objects} objects of ${load.bytes / (1 << 20)} MiB, ${load.atOnce} at once:`);
  const ofUpload = names.filter((name) => name !== 'S3Sink').map((name) => times.get(name) as Times[]);
  const [better = []] = ofUpload.toSorted(
    (a, b) => median(a.map(({ wall }) => wall)) - median(b.map(({ wall }) => wall)),
  );
  for (const name of names) {
    const all = times.get(name) as Times[];
    const wall = median(all.map((each) => each.wall));
    const cpu = median(all.map((each) => each.cpu));
    const ratios = (['wall', 'cpu'] as const).map((what) =>
      median(all.map((each, round) => (better[round] as Times)[what] / each[what])),
    );
    const [byWall = 0, byCpu = 0] = ratios;
    console.log(
      `  ${name.padEnd(24)} ${(megabytes / (wall / 1000)).toFixed(0).padStart(5)} MiB/s, ${cpu.toFixed(0).padStart(5)} ms of processor time; ` +
        `${byWall.toFixed(2)} and ${byCpu.toFixed(2)} of the better Upload`,
    );
    if (name === 'S3Sink' && byWall < AIM && byCpu < AIM) isSlow = true;
  }
}
client.destroy();
await service.stop();
if (isSlow && process.argv.includes('--check')) process.exitCode = 1;
