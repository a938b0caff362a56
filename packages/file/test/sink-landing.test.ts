/** A write that was let go while the file system hung. A test begins with the number of the rule. */

import { join } from 'node:path';
import type { WriteContext } from '@streamweld/core';
import { Deferred } from '@streamweld/core/connector';
import { FileSink } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';
import { contentOf, openContext, writeContext } from './sink-driving.ts';

/** A sink with a checkpoint, whose second write waits in the file system until it is let on. */
async function hanging() {
  const folder = testFolder();
  const hung = new Deferred();
  let isHanging = false;
  const client = faultyLayer({
    write: (path) => (isHanging && path.endsWith('/out') ? hung.promise : undefined),
  });
  const sink = new FileSink(join(folder, 'out'), { client });
  await sink.open(openContext());
  await sink.write(['one'], writeContext({ lane: 1 }));
  isHanging = true;
  const controller = new AbortController();
  const context = { ...writeContext({ lane: 2 }), signal: controller.signal } satisfies WriteContext;
  const late = failureOf(Promise.resolve(sink.write(['two'], context)));
  const timeout = new Error('The write took too long.');
  controller.abort(timeout);
  expect(await late).toBe(timeout);
  const letOn = (): void => {
    isHanging = false;
    hung.resolve();
  };
  const letFail = (): void => {
    isHanging = false;
    hung.reject(systemError('EIO'));
  };
  return { folder, sink, letOn, letFail };
}

describe('FileSink and a write that was let go', () => {
  test('K12 does not write it twice where it lands, and comes again', async () => {
    const { folder, sink, letOn } = await hanging();
    const again = sink.write(['two'], writeContext({ lane: 2 }, 2));
    letOn();
    await again;
    await sink.write(['three'], writeContext({ lane: 3 }));
    expect(new Map(sink.positions())).toEqual(new Map([['lane', 3]]));
    await sink.flush();
    await sink.close();
    expect(contentOf(folder)).toEqual({ out: 'one\ntwo\nthree\n' });
  });

  test('K12 writes it once where it fails in the end, and comes again', async () => {
    const { folder, sink, letFail } = await hanging();
    const again = sink.write(['two'], writeContext({ lane: 2 }, 2));
    letFail();
    await again;
    await sink.flush();
    await sink.close();
    expect(contentOf(folder)).toEqual({ out: 'one\ntwo\n' });
  });

  test('K8 closes when it has landed, and its items and positions are there or not together', async () => {
    const { folder, sink, letOn } = await hanging();
    const closed = sink.close(new Error('The run was aborted.'));
    letOn();
    await closed;
    const next = new FileSink(join(folder, 'out'));
    await next.open(openContext());
    const isThere = next.positions().get('lane') === 2;
    await next.close();
    expect(contentOf(folder)).toEqual({ out: isThere ? 'one\ntwo\n' : 'one\n' });
  });
});
