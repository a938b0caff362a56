import { AppProcess } from '@streamweld/app-kit/test';
import { describe, expect, it } from 'vitest';

const main = new URL('../src/main.ts', import.meta.url);

describe('template-name', () => {
  it('counts, and proves it', async () => {
    const { code, stdout, stderr } = await new AppProcess(main, ['--words', '10']).ended;
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/source +3\n/);
    expect(stdout).toContain('✓ 10 of 10 words are counted');
  });

  it('answers what cannot be meant with what is expected, as does --help', async () => {
    const wrong = await new AppProcess(main, ['--words', 'many']).ended;
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("expected a whole number from 1 to 10000000, got 'many'.");
    const help = await new AppProcess(main, ['--help']).ended;
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('example template-name')]);
  });
});
