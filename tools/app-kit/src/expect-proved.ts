import { expect } from 'vitest';
import type { Ended } from './app-process.ts';

/** An app has ended well, and its report says of so many things that they hold, and of none that it does not. */
export function expectProved({ code, stdout, stderr }: Ended, checks: number): void {
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).not.toMatch(/WRONG|✗/u);
  expect(stdout.match(/✓/gu) ?? []).toHaveLength(checks);
}
