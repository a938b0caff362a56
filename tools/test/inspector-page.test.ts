import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFile, generatePage } from '../inspector-page.ts';

describe('page.generated.ts', () => {
  it('is made of the page as it stands: `pnpm page:inspector` makes it anew', async () => {
    expect(readFileSync(generatedFile, 'utf8') === (await generatePage())).toBe(true);
  });
});
