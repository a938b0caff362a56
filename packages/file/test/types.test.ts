import type { Source } from '@streamweld/core';
import { FileSink, FileSource } from '@streamweld/file';
import { csv, lines, ndjson } from '@streamweld/formats';
import { expectTypeOf, test } from 'vitest';

interface Order {
  readonly id: number;
}

test('a source knows its items by its format', () => {
  expectTypeOf(new FileSource('x')).toExtend<Source<string>>();
  expectTypeOf(new FileSource('x')).toEqualTypeOf<FileSource<string>>();
  expectTypeOf(new FileSource(['x', 'y'], { format: 'lines', maxLineBytes: 10 })).toEqualTypeOf<
    FileSource<string>
  >();
  expectTypeOf(new FileSource('x', { format: 'csv' })).toEqualTypeOf<FileSource<Record<string, string>>>();
  expectTypeOf(new FileSource('x', { format: 'bytes' })).toEqualTypeOf<FileSource<Uint8Array>>();
  expectTypeOf(new FileSource('x', { format: 'ndjson' })).toEqualTypeOf<FileSource<unknown>>();
  expectTypeOf(new FileSource<Order>('x', { format: 'ndjson' })).toEqualTypeOf<FileSource<Order>>();
  expectTypeOf(new FileSource('x', { format: lines() })).toEqualTypeOf<FileSource<string>>();
  expectTypeOf(new FileSource('x', { format: ndjson() })).toEqualTypeOf<FileSource<unknown>>();
  expectTypeOf(new FileSource('x', { format: csv({ header: false }) })).toEqualTypeOf<FileSource<string[]>>();
  expectTypeOf(new FileSource('x', { follow: true, onNotice: ({ code }) => void code })).toEqualTypeOf<
    FileSource<string>
  >();
  expectTypeOf(new FileSource<Order>('x', { format: 'ndjson', follow: { pollMs: 1 } })).toEqualTypeOf<
    FileSource<Order>
  >();
  // @ts-expect-error no such format
  expect(() => new FileSource('x', { format: 'xml' }));
  // @ts-expect-error no such option
  expect(() => new FileSource('x', { follow: { poll: 1 } }));
  // @ts-expect-error no such option
  expect(() => new FileSource('x', { maxLine: 1 }));
});

test('a sink knows what it takes by its format or its path', () => {
  expectTypeOf(new FileSink('x')).toEqualTypeOf<FileSink<string>>();
  expectTypeOf(new FileSink('x', { format: 'ndjson' })).toEqualTypeOf<FileSink<unknown>>();
  expectTypeOf(new FileSink((order: Order) => `${order.id}`, { format: 'ndjson' })).toEqualTypeOf<
    FileSink<Order>
  >();
  expectTypeOf(new FileSink<Order>('x', { format: 'csv' })).toEqualTypeOf<FileSink<Order>>();
  expectTypeOf(new FileSink((order: Order) => `${order.id}`, { format: 'csv' })).toEqualTypeOf<
    FileSink<Order>
  >();
  expectTypeOf(new FileSink('x', { format: 'bytes' })).toEqualTypeOf<FileSink<Uint8Array>>();
  expectTypeOf(new FileSink('x', { format: lines() })).toEqualTypeOf<FileSink<string>>();
  // @ts-expect-error lines are strings
  expect(() => new FileSink((order: Order) => `${order.id}`, { format: 'lines' }));
  // @ts-expect-error a CSV holds no objects
  expect(() => new FileSink<{ deep: object }>('x', { format: 'csv' }));
});

function expect(check: () => unknown): void {
  void check;
}
