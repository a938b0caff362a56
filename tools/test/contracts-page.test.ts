import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Contracts, findMismatches, readRules, readTitles } from '../contracts-page.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

function list(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
    .map((file) => path.join(folder, file));
}

const packages = readdirSync(path.join(root, 'packages'));

const here: Contracts = {
  page: read('docs/contracts.md'),
  code: ['source', 'sink', 'checkpoint', 'dispatch/strategy'].map((name) =>
    read(`packages/core/src/${name}.ts`),
  ),
  tests: [...packages.map((name) => `packages/${name}/test`), 'packages/testing/src'].flatMap(list).map(read),
  codes: new Set([...read('docs/errors.md').matchAll(/^## (SW_\w+)$/gm)].map(([, code]) => code as string)),
};

describe('docs/contracts.md', () => {
  it('says the same as the doc comments and the names of the tests', () => {
    expect(findMismatches(here)).toEqual([]);
  });

  it('is compared with what is there', () => {
    expect(here.code.map((code) => readRules(code).length)).toEqual([21, 22, 8, 10]);
    expect(here.tests.flatMap(readTitles).length).toBeGreaterThan(70);
  });
});

describe('readRules', () => {
  it('reads each number with its sentence, over as many lines as it takes', () => {
    const code = `/**
 * A contract.
 *
 * The rules (a test that proves one begins with its number):
 *  S1  \`open\` is called once. If it throws,
 *      only \`close\` follows.
 *  S10 Nothing (S1) comes after it.
 *
 *  S11 Not one of them.
 */`;
    expect(readRules(code)).toEqual([
      ['S1', '`open` is called once. If it throws, only `close` follows.'],
      ['S10', 'Nothing (S1) comes after it.'],
    ]);
  });

  it('reads up to the end of the comment where nothing follows', () => {
    const code = `/**
 * The rules (a test that proves one begins with its number):
 *  D1  One.
 */
export interface Other {}`;
    expect(readRules(code)).toEqual([['D1', 'One.']]);
  });
});

describe('readTitles', () => {
  it.each([
    ['a test', `it('S3 answers', () => {})`, ['S3']],
    ['with several numbers', `it('K1 S1 an open', () => {})`, ['K1', 'S1']],
    ['with a colon', `it('D4: keeps order', () => {})`, ['D4']],
    ['a group', 'describe(`K12 it may not`, () => {})', ['K12']],
    ['test, on a line of its own', `test(\n  "C4 refuses", () => {})`, ['C4']],
    ['a table', `it.each([['a', ')'], [1, (x) => x]])('K8 S10 names', () => {})`, ['K8', 'S10']],
    ['a table of a property', `it.each(ways)(\n  'S1 of %s', (way) => {})`, ['S1']],
    ['a test that is to fail', `it.fails('S2 holds', () => {})`, ['S2']],
    ['a check that is data', `{ rule: 'S12', sentence: 'resumes' }`, ['S12']],
    ['the last line of one', `{\n  sentence: 'resumes',\n  rule: 'S12' }`, ['S12']],
    ['a check that a function makes', `check('S12', 'resumes', run)`, ['S12']],
    ['a check of one kind', `sinkCheck(\n  'K17',\n  'settles soon', run)`, ['K17']],
    ['a check of something else', `this.#check('S12', isKept)`, []],
    ['a type of checks', `readonly rule: 'C1' | 'C2';`, []],
    ['a number within', `it('is like S3', () => {})`, []],
    ['a number of another kind', `it('[GenStage D5] orders', () => {})`, []],
    ['what only begins alike', `it('S3Source reads', () => {})`, []],
    ['any other call', `breaches.push('S2')`, []],
  ])('knows %s', (_, code, rules) => {
    expect(readTitles(code)).toEqual(rules);
  });
});

describe('findMismatches', () => {
  it.each<[string, (contracts: Contracts) => Contracts, string]>([
    ['a rule that is not on the page', (c) => page(c, /^### S3 [^]*?(?=^### )/m, ''), 'Not on the page: S3'],
    ['a rule that is only on the page', (c) => page(c, '### S3 ', '### S33 '), 'in no doc comment: S33'],
    ['a rule that is there twice', (c) => page(c, /(^### S3 [^]*?)(?=^### )/m, '$1$1'), 'a rule twice'],
    ['another word on the page', (c) => page(c, '> It does not wait', '> It waits'), "S4 reads 'It waits"],
    [
      'a rule that does not say who keeps it',
      (c) => page(c, '- Kept by: the run.', '- Kept by:'),
      'S1 does not say: Kept by',
    ],
    ['a line that is no line', (c) => page(c, '- Why: ', '- Whence: '), "S1 says 'Whence'"],
    [
      'a code that there is not',
      (c) => page(c, 'Broken: SW_SOURCE_OVERANSWERED', 'Broken: SW_SOURCE_GREEDY'),
      'names SW_SOURCE_GREEDY',
    ],
    ['a row that is missing', (c) => page(c, /^\| 3\.05 .*\n/m, ''), 'each of the 43 rules'],
    ['a row that names another rule', (c) => page(c, /^(\| 1\.06 .*)S5/m, '$1S6'), 'The table has S6 1.06'],
    [
      'a rule that names another row',
      (c) => page(c, '1.09, 1.10, 2.12', '1.09, 1.10, 2.11'),
      'S1 2.11 is not in the table',
    ],
    [
      'a rule with another number in the code',
      (c) => code(c, ' *  S7  ', ' *  S77 '),
      'numbered S1, S2, S3, S4, S5, S6, S77',
    ],
    ['another word in the code', (c) => code(c, 'S5  After', 'S5  Before'), "S5 reads 'After"],
    ['a contract without rules', (c) => ({ ...c, code: c.code.slice(0, 3) }), 'There are no rules D.'],
    [
      'a title with a number that is no rule',
      (c) => ({ ...c, tests: [...c.tests, `it('K99 x', () => {})`] }),
      'begins with K99',
    ],
    [
      'a rule without a test',
      (c) => ({ ...c, tests: c.tests.map((t) => t.replaceAll(/\bS2\b/g, 'two')) }),
      'No test begins with S2,',
    ],
    [
      'a rule that is tested, in the list',
      (c) => page(c, '## Untested\n', '## Untested\n\n- S2: hard to see.\n'),
      'lists S2 as untested: it is tested',
    ],
    [
      'what is no rule, in the list',
      (c) => page(c, '## Untested\n', '## Untested\n\n- S99: hard to see.\n'),
      'lists S99 as untested: it is no rule',
    ],
  ])('sees %s', (_, change, expected) => {
    expect(findMismatches(change(here)).join('\n')).toContain(expected);
  });

  it('takes a rule without a test that is listed with a reason', () => {
    const without = { ...here, tests: here.tests.map((test) => test.replaceAll(/\bS2\b/g, 'two')) };
    const listed = page(without, '## Untested\n', '## Untested\n\n- S2: nobody can see it from outside.\n');
    expect(findMismatches(listed)).toEqual(findMismatches(here));
  });
});

function page(contracts: Contracts, from: string | RegExp, to: string): Contracts {
  return { ...contracts, page: replaceOnce(contracts.page, from, to) };
}

function code(contracts: Contracts, from: string, to: string): Contracts {
  const [source = '', ...others] = contracts.code;
  return { ...contracts, code: [replaceOnce(source, from, to), ...others] };
}

/** A change that changes nothing would prove nothing. */
function replaceOnce(text: string, from: string | RegExp, to: string): string {
  const replaced = text.replace(from, to);
  if (replaced === text) throw new Error(`There is no ${String(from)} to replace.`);
  return replaced;
}
