import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isStreamWeldError } from '@streamweld/core';
import { FILE_ERROR_CODES, FileError, FileItemError } from '@streamweld/file';
import { expect, test } from 'vitest';

test('the table of codes and the README hold the same', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  const told = [...readme.matchAll(/^\| `(SW_FILE_\w+)`/gm)].map((match) => match[1] as string);
  expect(new Set(told)).toEqual(new Set(Object.keys(FILE_ERROR_CODES)));
  expect(told).toHaveLength(new Set(told).size);
});

test('every code is made somewhere', () => {
  const folder = join(import.meta.dirname, '../src');
  const source = readdirSync(folder)
    .map((name) =>
      readFileSync(join(folder, name), 'utf8').replace(/FILE_ERROR_CODES = \{[^]*?\} as const/, ''),
    )
    .join('');
  for (const code of Object.keys(FILE_ERROR_CODES)) expect(source).toContain(`'${code}'`);
});

test('errors are StreamWeld’s, and an item’s error says which', () => {
  const error = new FileError('SW_FILE_NO_MATCH', 'nothing', { path: 'x', stage: 'files', cause: 1 });
  expect(isStreamWeldError(error)).toBe(true);
  expect(error).toMatchObject({ name: 'FileError', path: 'x', stage: 'files', cause: 1 });
  const item = new FileItemError('SW_FILE_PATH_ESCAPES', 'out', [3]);
  expect(isStreamWeldError(item)).toBe(true);
  expect(item).toMatchObject({ code: 'SW_FILE_PATH_ESCAPES', failed: [3], retryable: false });
});
