/** The memory of a process that writes much more than it may hold. `pnpm memory:s3` writes 1 GiB. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, expect, it } from 'vitest';
import { buildProgram } from '../../../tools/services/program.ts';
import { describeWithS3 } from './service.ts';
import { objectKeys } from './writing.ts';

const MEGABYTES = Number(process.env['STREAMWELD_MEMORY_MB'] ?? 256);
const LIMIT = 200;

const folder = mkdtempSync(join(tmpdir(), 'streamweld-s3-memory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWithS3('S3Sink, its memory', (buckets) => {
  it(`writes ${MEGABYTES} MiB through eight open objects in less than ${LIMIT} MiB`, {
    timeout: 300_000,
  }, async () => {
    const { bare, bucket, service } = buckets();
    const { endpoint, credentials } = service;
    const program = await buildProgram(join(import.meta.dirname, 'children/large.ts'), folder);
    const run = program(
      JSON.stringify({ megabytes: MEGABYTES, endpoint, credentials, bucket, key: 'large/{by}-{sequence}' }),
    );
    const [code] = await run.exited;
    expect([code, run.output()]).toEqual([0, expect.stringMatching(/\d+ MiB/)]);
    const used = Number(/(\d+) MiB/.exec(run.output())?.[1]);
    console.log(`${MEGABYTES} MiB in ${used} MiB`);
    expect(used).toBeLessThan(LIMIT);
    let bytes = 0;
    for (const Key of await objectKeys(buckets(), 'large/')) {
      bytes += (await bare.send(new HeadObjectCommand({ Bucket: bucket, Key }))).ContentLength ?? 0;
    }
    expect(bytes).toBe(MEGABYTES << 20);
  });
});
