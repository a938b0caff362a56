import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { foreignImports, publicDoors } from '../external/doors.ts';

const workspace = join(import.meta.dirname, '../..');
const doors = publicDoors(join(workspace, 'packages'));
const examples = join(workspace, 'examples-external');

describe('a connector outside of the workspace', () => {
  it.each(readdirSync(examples))('%s imports public doors alone', (example) => {
    expect(doors).toContain('@streamweld/core/connector');
    expect(foreignImports(join(examples, example), doors)).toEqual([]);
  });

  it('is told each import that a stranger could not have written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-doors-'));
    try {
      cpSync(join(examples, 'redis-streams'), folder, { recursive: true });
      writeFileSync(
        join(folder, 'src/planted.ts'),
        [
          `import { readFile } from 'node:fs/promises';`,
          `import { StreamWeldError } from '@streamweld/core/connector';`,
          `import { lane } from '@streamweld/core/delivery/lane';`,
          `import { range } from '../../core/src/index.ts';`,
          `export { sourceSuite } from '@streamweld/testing';`,
          `const s3 = await import('@streamweld/s3');`,
          `const page = new URL('../../page.html', import.meta.url);`,
          `import 'lodash';`,
        ].join('\n'),
      );
      expect(foreignImports(folder, doors)).toEqual([
        'src/planted.ts imports @streamweld/core/delivery/lane',
        'src/planted.ts imports ../../core/src/index.ts',
        'src/planted.ts imports @streamweld/testing',
        'src/planted.ts imports @streamweld/s3',
        'src/planted.ts imports ../../page.html',
        'src/planted.ts imports lodash',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
