/** The kit under another runner than the one that tests it. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

function runUnderNodeTest(argument: string): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--conditions=@streamweld/source',
      '--import',
      'tsx',
      path.join(import.meta.dirname, 'children/node-test.ts'),
      argument,
    ],
    // A runner of Node that runs under another reports to it instead of printing.
    { encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1' } },
  );
  return { status, output: `${stdout}${stderr}` };
}

describe('a suite under node:test', () => {
  it('passes what keeps the rules', () => {
    const { status, output } = runUnderNodeTest('whole');
    expect(status, output).toBe(0);
    expect(output).toMatch(/C1 .*\n/);
    expect(output).toMatch(/pass [1-9]\d/);
  });

  it('fails what breaks one, by its number', () => {
    const { status, output } = runUnderNodeTest('broken');
    expect(status, output).toBe(1);
    expect(output).toMatch(/(✖|not ok).* C2 replaces all positions/);
    expect(output).toContain('docs/contracts.md#c2-saves-all-lanes-in-one-step');
  });
});
