/** The app in a process of its own, as a user starts it. */

import { AppProcess } from '@streamweld/app-kit/test';
import { expect } from 'vitest';

/** A net for what hangs: machines that run this are busy. */
export const TIMEOUT = 240_000;

/** @returns the app, which is to be ended by `kill()` if it has not. */
export function startApp(args: readonly string[], env: NodeJS.ProcessEnv = {}): AppProcess {
  return new AppProcess(new URL('../src/main.ts', import.meta.url), ['--progress', 'plain', ...args], {
    env,
  });
}

/** It ends with one line, in which no password is. */
export async function expectRefused(app: AppProcess, line: RegExp): Promise<void> {
  const { code, stderr } = await app.ended;
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(line);
  expect(stderr).not.toContain('planted');
  // In a line, and nothing else.
  expect(stderr.trim().split('\n')).toHaveLength(1);
}
