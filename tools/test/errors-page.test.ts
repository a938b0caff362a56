import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CODES } from '@streamweld/core';
import { CREATE_ERROR_CODES } from '@streamweld/create-connector';
import { FILE_ERROR_CODES } from '@streamweld/file';
import { FORMAT_ERROR_CODES } from '@streamweld/formats';
import { KAFKA_ERROR_CODES } from '@streamweld/kafka';
import { INSPECTOR_ERROR_CODES } from '@streamweld/observe/inspector';
import { POSTGRES_ERROR_CODES } from '@streamweld/postgres';
import { S3_ERROR_CODES } from '@streamweld/s3';
import { WORKERS_ERROR_CODES } from '@streamweld/workers';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/errors.md'), 'utf8');

/** The headings under the title of one package, with what stands under each. */
function headings(packageName: string): Map<string, string> {
  const chapter = page.split(/^# /m).find((part) => part.startsWith(packageName)) ?? '';
  const sections = chapter.split(/^## /m).slice(1);
  return new Map(sections.map((section) => [section.split('\n')[0]?.trim() ?? '', section]));
}

describe('docs/errors.md', () => {
  it.each([
    ['@streamweld/core', Object.keys(ERROR_CODES)],
    ['@streamweld/formats', Object.keys(FORMAT_ERROR_CODES)],
    ['@streamweld/file', Object.keys(FILE_ERROR_CODES)],
    ['@streamweld/kafka', Object.keys(KAFKA_ERROR_CODES)],
    ['@streamweld/postgres', Object.keys(POSTGRES_ERROR_CODES)],
    ['@streamweld/s3', Object.keys(S3_ERROR_CODES)],
    ['@streamweld/workers', Object.keys(WORKERS_ERROR_CODES)],
    ['@streamweld/observe', Object.keys(INSPECTOR_ERROR_CODES)],
    ['@streamweld/create-connector', Object.keys(CREATE_ERROR_CODES)],
  ])('has a heading for every code of %s, and no other', (packageName, codes) => {
    expect([...headings(packageName).keys()].sort()).toEqual([...codes].sort());
  });

  it('says of every code when it happens and what to do', () => {
    const sections = page.split(/^## /m).slice(1);
    for (const section of sections) {
      expect(section).toMatch(/^SW_[A-Z0-9_]+\nWhen: .+/);
      expect(section).toMatch(/^Do: .+/m);
    }
  });

  it('is where every code that core throws is explained', () => {
    const known = new Set(Object.keys(ERROR_CODES));
    const folder = path.join(root, 'packages/core/src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const thrown = files.flatMap(
      (file) => readFileSync(path.join(folder, file), 'utf8').match(/'SW_[A-Z_]+'/g) ?? [],
    );
    expect(thrown.length).toBeGreaterThan(30);
    expect(thrown.map((code) => code.slice(1, -1)).filter((code) => !known.has(code))).toEqual([]);
  });
});
