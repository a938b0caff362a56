import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BREAKS } from '../planted-breaks/breaks.ts';
import { plant } from '../planted-breaks/plant.ts';

const packages = path.resolve(import.meta.dirname, '../../packages');

describe('planted breaks', () => {
  it.each(BREAKS.map((planted) => [planted.name, planted] as const))('can be planted: %s', (_, planted) => {
    const code = readFileSync(path.join(packages, planted.package ?? 'core', 'src', planted.file), 'utf8');
    expect(code.split(planted.find).length - 1).toBe(1);
    expect(planted.replace).not.toBe(planted.find);
  });

  it.each(BREAKS.filter(({ isKept }) => isKept === true).map((planted) => [planted.name, planted] as const))(
    'are seen: %s',
    async (_, planted) => {
      expect((await plant(planted)).length).toBeGreaterThan(0);
    },
    120_000,
  );
});
