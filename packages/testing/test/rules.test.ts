/** Where rules are explained, and that whoever breaks one is told. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { registerChecks } from '@streamweld/testing';
import { describe, expect, it } from 'vitest';
import { addressOfRule, RULE_TITLES } from '../src/rules.ts';

const page = readFileSync(new URL('../../../docs/contracts.md', import.meta.url), 'utf8');

/** What a runner would see of a check that throws this. */
async function seen(rule: string, thrown: unknown): Promise<Error> {
  const bodies: (() => Promise<void>)[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    test: (_: string, body: () => Promise<void>) => bodies.push(body),
  };
  registerChecks(runner, 'a suite', {}, [{ rule, sentence: 'is kept', run: () => Promise.reject(thrown) }]);
  const failed = await bodies[0]?.().catch((error: unknown) => error);
  return failed as Error;
}

describe('the titles of rules', () => {
  it('are the headings of docs/contracts.md', () => {
    const headings = [...page.matchAll(/^### ([SKCD]\d+) (.*)$/gm)].map(([, rule, title]) => [rule, title]);
    expect(Object.entries(RULE_TITLES)).toEqual(headings);
  });

  it('become the anchors that GitHub makes of them', () => {
    expect(addressOfRule('S3')).toMatch(/docs\/contracts\.md#s3-answers-what-was-asked-for-and-not-more$/);
    expect(addressOfRule('C6')).toMatch(/#c6-what-it-answers-is-the-askers$/);
    expect(addressOfRule('X1')).toMatch(/docs\/contracts\.md$/);
  });
});

describe('a check that fails', () => {
  it('says its rule and where to read, and stays the error it was', async () => {
    const thrown = new assert.AssertionError({
      message: 'pull(1) answered 2 items.',
      actual: 2,
      expected: 1,
    });
    const error = await seen('S3', thrown);
    expect(error).toBe(thrown);
    expect(error.message).toBe(
      `pull(1) answered 2 items.\nS3, "Answers what was asked for, and not more", asks for it: ${addressOfRule('S3')}`,
    );
    // node:test prints the stack, and once is enough.
    expect(error.stack?.match(/asks for it/g)).toHaveLength(1);
    expect(error.stack).toMatch(/rules\.test\.ts/);
  });

  it('says the rule of its own check where two throw the same error', async () => {
    const thrown = new Error('It is broken.');
    await seen('S3', thrown);
    const { message, stack } = await seen('S4', thrown);
    expect(message).toBe(`It is broken.\nS4, "Answers what is there", asks for it: ${addressOfRule('S4')}`);
    expect(stack).toContain(message);
    expect(stack).not.toContain('S3, ');
  });

  it.each([
    ['a frozen error', Object.freeze(new Error('It is broken.'))],
    ['a text', 'It is broken.'],
    ['nothing', undefined],
  ])('keeps %s as the cause', async (_, thrown) => {
    const error = await seen('K5', thrown);
    expect(error.message).toContain(addressOfRule('K5'));
    expect(error.cause).toBe(thrown);
  });
});
