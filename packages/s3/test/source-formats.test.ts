import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { csv, type Format } from '@streamweld/formats';
import { expect, it } from 'vitest';
import type { S3Position } from '../src/position.ts';
import { S3Source } from '../src/source.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

const TEXT = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 60)}\n`).join('');
const LINES = TEXT.trimEnd().split('\n');

describeWithS3('What is in objects', (buckets) => {
  const reading = useReadings();
  const base = () => ({ ...buckets().reach, bucket: buckets().bucket });

  it('and is damaged fails where a decoder says so once, behind its last items', async () => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a`, '10;20;30;4');
    /** Numbers, each with a semicolon behind it. */
    const format: Format<string, never> = {
      name: 'numbers',
      contentType: 'text/plain',
      decoder: () => {
        let text = '';
        let taken = 0;
        return {
          get offset() {
            return taken * 3;
          },
          get record() {
            return taken;
          },
          push(chunk) {
            text += Buffer.from(chunk).toString();
          },
          // One at a time, so that more are asked for.
          take() {
            const [first, ...rest] = text.split(';');
            if (rest.length === 0) return [];
            text = rest.join(';');
            taken += 1;
            return [first as string];
          },
          end() {
            if (text !== '') throw new Error('It is cut.');
          },
        };
      },
      encoder: () => {
        throw new Error('It only reads.');
      },
    };
    const run = await reading(new S3Source({ ...base(), prefix, format }));
    await expect(run.readAll()).rejects.toThrow('It is cut.');
    expect(run.items).toEqual(['10', '20', '30']);
  });

  it.each([
    ['its key', 'a.log.GZ', {}],
    ['its content encoding', 'a.log', { ContentEncoding: 'gzip' }],
    ['its first bytes', 'a.log', {}],
  ])('is decompressed, known by %s', async (_, name, more) => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(prefix + name, gzipSync(TEXT), more);
    const run = await reading(new S3Source({ ...base(), prefix }));
    expect(await run.readAll()).toEqual(LINES);
    const some = run.answers[3] as NonNullable<(typeof run.answers)[3]>;
    const next = await reading(
      new S3Source({ ...base(), prefix }),
      new Map([[some.lane ?? '', some.position]]),
    );
    expect(await next.readAll()).toEqual(LINES.slice(some.position.record));
  });

  it.each([
    ['key', 'a.gz', {}],
    ['content encoding', 'a', { ContentEncoding: 'gzip' }],
  ])('is refused where its %s says that it is compressed, and it is not', async (_, name, more) => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(prefix + name, 'as it is\n', more);
    const run = await reading(new S3Source({ ...base(), prefix }));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_FORMAT_GZIP_INVALID' });
    const raw = await reading(new S3Source({ ...base(), prefix, compression: 'none' }));
    expect(await raw.readAll()).toEqual(['as it is']);
  });

  it('is of several members, or left as it is', async () => {
    const prefix = `${randomUUID()}/`;
    const members = Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]);
    await buckets().put(`${prefix}a.gz`, members);
    expect(await (await reading(new S3Source({ ...base(), prefix }))).readAll()).toEqual(['one', 'two']);
    const raw = await reading(new S3Source({ ...base(), prefix, format: 'bytes', compression: 'none' }));
    expect(Buffer.concat(await raw.readAll()).equals(members)).toBe(true);
  });

  it('is cut off: all before comes, and then an error that names the object', async () => {
    const prefix = `${randomUUID()}/`;
    const whole = gzipSync(TEXT);
    await buckets().put(`${prefix}a.gz`, whole.subarray(0, whole.length / 2));
    const run = await reading(new S3Source({ ...base(), prefix }));
    await expect(run.readAll()).rejects.toMatchObject({
      code: 'SW_FORMAT_GZIP_TRUNCATED',
      message: expect.stringContaining(`${prefix}a.gz: `),
    });
    expect(run.items.length).toBeGreaterThan(1000);
    expect(run.items).toEqual(LINES.slice(0, run.items.length));
  });

  it('is refused where the place to go on is not in it, or was of another compression', async () => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a.gz`, gzipSync('one\ntwo\n'));
    const run = await reading(new S3Source({ ...base(), prefix }));
    await run.pull(1);
    const beyond = new Map([...run.positions].map(([lane, position]) => [lane, { ...position, offset: 9 }]));
    const next = await reading(new S3Source({ ...base(), prefix }), beyond);
    await expect(next.readAll()).rejects.toMatchObject({ code: 'SW_S3_POSITION_INVALID' });
    const other = reading(new S3Source({ ...base(), prefix, compression: 'none' }), run.positions);
    await expect(other).rejects.toMatchObject({ code: 'SW_S3_POSITION_INVALID' });
  });

  it('has columns, which are known where a run goes on', async () => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a.csv`, 'city,code\nOslo,OSL\nRoma,FCO\n');
    const run = await reading(new S3Source({ ...base(), prefix, format: 'csv' }));
    expect((await run.pull(1))?.items).toEqual([{ city: 'Oslo', code: 'OSL' }]);
    const next = await reading(new S3Source({ ...base(), prefix, format: 'csv' }), run.positions);
    expect(await next.readAll()).toEqual([{ city: 'Roma', code: 'FCO' }]);
    const rows = await reading(new S3Source({ ...base(), prefix, format: csv({ header: false }) }));
    expect((await rows.readAll())[2]).toEqual(['Roma', 'FCO']);
  });

  it.each([
    ['a small one', 2000, ''],
    ['a large one', 120_000, ''],
    ['a compressed one', 60_000, '.gz'],
    ['a small compressed one', 10, '.gz'],
  ])('is at its end with its last items, however many are asked for: %s', async (_, count, ending) => {
    const prefix = `${randomUUID()}/`;
    const all = Array.from({ length: count }, (_, n) => `line ${n}`);
    // Without a line end behind the last, and with one.
    for (const [name, text] of [
      ['a', all.join('\n')],
      ['b', `${all.join('\n')}\n`],
    ] as const)
      await buckets().put(`${prefix}${name}${ending}`, ending === '' ? text : gzipSync(text));
    for (const demand of [1000, count, count / 2, ...(count > 2000 ? [] : [1, 3])]) {
      const run = await reading(new S3Source({ ...base(), prefix }));
      expect(await run.readAll(demand)).toEqual([...all, ...all]);
      expect(run.answers.every(({ items }) => items.length > 0 && items.length <= demand)).toBe(true);
      expect(run.answers.filter(({ position }) => position.done === true)).toHaveLength(2);
      // And each place on the way is one to go on from.
      const some = run.answers[Math.floor(run.answers.length / 3)] as (typeof run.answers)[0];
      const read = run.answers.slice(0, run.answers.indexOf(some) + 1).flatMap(({ items }) => items).length;
      const next = await reading(
        new S3Source({ ...base(), prefix }),
        new Map([[some.lane ?? '', some.position]]),
      );
      expect(await next.readAll(demand)).toEqual([...all, ...all].slice(read));
    }
  });

  it('goes on at the very end of an object that was not known to be done', async () => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a`, 'one\n');
    await buckets().put(`${prefix}b`, 'two\n');
    const run = await reading(new S3Source({ ...base(), prefix }));
    await run.pull(1);
    const [[lane, { done, ...position }]] = [...run.positions] as [[string, S3Position]];
    // That it is done is known with its last item.
    expect({ ...position, done }).toMatchObject({ offset: 4, record: 1, done: true });
    const next = await reading(new S3Source({ ...base(), prefix }), new Map([[lane, position]]));
    expect(await next.readAll()).toEqual(['two']);
    const beyond = new Map([[lane, { ...position, offset: 6 }]]);
    const other = await reading(new S3Source({ ...base(), prefix }), beyond);
    await expect(other.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CHANGED' });
  });

  it.each([
    ['', 'auto'],
    ['.gz', 'auto'],
    ['', 'gzip'],
  ] as const)('may be nothing, and is no item then: a%s, compression %s', async (ending, compression) => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a${ending}`, '', { ContentLength: 0 });
    await buckets().put(`${prefix}b.gz`, gzipSync('b'));
    const options = { ...base(), prefix, compression };
    const run = await reading(new S3Source(options));
    expect(await run.readAll()).toEqual(['b']);
    expect(run.answers.map(({ items }) => items.length)).toEqual([0, 1]);
    // It counts as read.
    const [empty] = run.answers as [(typeof run.answers)[0]];
    expect(empty.position).toMatchObject({ key: `${prefix}a${ending}`, offset: 0, record: 0, done: true });
    const next = await reading(new S3Source(options), new Map([[empty.lane ?? '', empty.position]]));
    expect(await next.readAll()).toEqual(['b']);
  });
});
