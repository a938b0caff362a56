/** Whatever fails, and whenever: the error says which sink it is. */

import { expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { S3Error } from '../src/errors.ts';
import { S3Sink } from '../src/sink.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { Killable } from './killable.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item } from './writing.ts';

describeWithS3('The errors of S3Sink', (buckets) => {
  let places = 0;
  const sinkOf = (more: Partial<S3SinkOptions<Item>>): S3Sink<Item> => {
    const prefix = `place-${places++}/`;
    return new S3Sink<Item>({
      bucket: buckets().bucket,
      name: 'archive',
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      retryMs: 0,
      ...more,
    } as S3SinkOptions<Item> & { format: 'ndjson' });
  };
  const wide = Array.from({ length: 60 }, (_, id) => ({ id, text: 'x'.repeat(100_000) }));
  /** Of all that it is told, in order, whatever comes of it. */
  const errorsOf = async (sink: S3Sink<Item>, checkpoint: string | undefined): Promise<unknown[]> => {
    const driven = new Driven(sink);
    const errors: unknown[] = [];
    const keep = (error: unknown): void => void errors.push(error);
    await driven.open({ checkpoint }).catch(keep);
    await driven
      .write(wide, { positions: { a: 1 } })
      .then((answer) => void answer?.durable.catch(keep), keep);
    await driven.flush().catch(keep);
    await driven.close().catch(keep);
    await driven.abort();
    // A sink that is not open says so, in words of its own.
    return [...errors, ...driven.failures].filter((error) => (error as { code?: string }).code !== undefined);
  };

  it.each([
    ['reads its ledger', 'GetObject'],
    ['takes its ledger over', 'PutObject'],
    ['begins an upload', 'CreateMultipartUpload'],
    ['sends a part', 'UploadPart'],
    ['completes an upload', 'CompleteMultipartUpload'],
  ] as const)('say which it is, when it %s', async (_, on) => {
    for (const checkpoint of [undefined, 'numbers']) {
      for (const fault of [
        { kind: 'error', status: 403, code: 'AccessDenied' },
        { kind: 'reset' },
      ] as const) {
        buckets().faults.clear();
        const planned = buckets().faults.plan({ on, times: 1e9, fault });
        const errors = await errorsOf(sinkOf(buckets().throughFaults), checkpoint);
        expect(planned.met).toBeGreaterThan(0);
        expect(errors.length).toBeGreaterThan(0);
        for (const error of errors) expect(error).toMatchObject({ stage: 'archive' });
      }
    }
  });

  it('say which it is, when a write is committed', async () => {
    const driven = await new Driven(sinkOf(buckets().throughFaults)).open({ checkpoint: 'numbers' });
    const isLedger = ({ operation, key }: { operation: string; key: string }): boolean =>
      operation === 'PutObject' && key.endsWith('ledger.json');
    buckets().faults.plan({ on: isLedger, after: 1, fault: { kind: 'reset' } });
    const written = driven.write([{ id: 0 }], { positions: { a: 1 } });
    await expect(written).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST', stage: 'archive' });
    await driven.abort();
  });

  it('say which it is, with a store of somebody that knows of no sinks', async () => {
    const killable = new Killable(buckets().reach);
    const client: S3Store = {
      ...killable.store,
      put: () => Promise.reject(new S3Error('SW_S3_DENIED', 'Not today.')),
    };
    const driven = new Driven(sinkOf({ client }));
    await expect(driven.open()).rejects.toMatchObject({ code: 'SW_S3_DENIED', stage: 'archive' });
    await driven.abort();
    killable.close();
  });

  it('say which it is, when a key cannot be made', async () => {
    const key = ({ sequence }: { sequence: number }): string => (sequence > 1 ? '' : `first-${places}`);
    const driven = await new Driven(sinkOf({ ...buckets().reach, key, roll: { maxItems: 1 } })).open();
    await expect(driven.write([{ id: 0 }, { id: 1 }])).rejects.toMatchObject({
      code: 'SW_S3_KEY_INVALID',
      stage: 'archive',
    });
    await driven.abort();
  });
});
