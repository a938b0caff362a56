import { lines } from '@streamweld/formats';
import { expect, test } from 'vitest';
import { GrowingFile } from '../src/source-growing.ts';

test('A file that was cut and written anew is no longer as large as it was: by that it is recognised', () => {
  const file = new GrowingFile('app.log', 'app.log', { dev: 1, ino: 2 }, lines(), 0, undefined);
  file.size = 8;
  expect(file.identity.size).toBe(8);
  file.restart();
  expect([file.identity.size, file.incarnation]).toEqual([0, 1]);
});
