/** Names and units as the conventions have them now. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { describe, expect, it } from 'vitest';
import { CONVENTIONS } from '../../src/otel/names.ts';

const entry = createRequire(import.meta.url).resolve('@opentelemetry/semantic-conventions/incubating');

/** What stands above a name in the typings. */
function commentOf(name: string): string {
  const found = ['experimental_attributes', 'experimental_metrics', 'stable_attributes']
    .map((file) => readFileSync(entry.replace(/index-incubating\.cjs$/, `${file}.d.cts`), 'utf8'))
    .find((text) => text.includes(`declare const ${name}:`));
  const before = found?.split(`declare const ${name}:`)[0] ?? '';
  return before.slice(before.lastIndexOf('/**'));
}

describe('names of the conventions', () => {
  it.each(Object.entries(CONVENTIONS))('%s is %s, and not deprecated', (constant, name) => {
    expect((conventions as Record<string, unknown>)[constant]).toBe(name);
    expect(commentOf(constant)).toMatch(/^\/\*\*/);
    expect(commentOf(constant)).not.toContain('@deprecated');
  });

  it('would be found, if they were deprecated', () => {
    expect(commentOf('ATTR_MESSAGING_SYSTEM')).toContain('@deprecated');
    expect(commentOf('METRIC_MESSAGING_PUBLISH_DURATION')).toContain('@deprecated');
  });
});
