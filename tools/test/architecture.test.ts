import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Code, namesOf } from '../names-in-documents.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const code = new Code(root, ['packages', 'tools', 'apps', 'docs', '.github']);

describe.each(['ARCHITECTURE.md', 'docs/code-map.md'])('%s', (document) => {
  it('names no file and nothing of the code that is not there', () => {
    const names = namesOf(read(document));
    const problems = names.flatMap(({ text, line }) => {
      const problem = code.problemOf(text);
      return problem === undefined ? [] : [`${document}:${line}: ${problem}`];
    });
    expect(problems).toEqual([]);
    expect(names.length).toBeGreaterThan(60);
  });
});

describe('ARCHITECTURE.md', () => {
  const page = read('ARCHITECTURE.md');

  it('draws the kernel of core with the files that are in it', () => {
    const kernel = /contracts and kernel {3}([a-z -]+)/.exec(page)?.[1]?.split(' ') ?? [];
    expect(kernel.length).toBeGreaterThan(8);
    expect(kernel.filter((name) => !existsSync(path.join(root, `packages/core/src/${name}.ts`)))).toEqual([]);
  });

  it('has the states of a run, and no other', () => {
    const pictures = namesOf(page).filter(({ text }) => text.includes('→'));
    const drawn = pictures.flatMap(({ text }) => text.match(/[a-z]+/g) ?? []);
    const states = /type PipelineState =([^;]+);/.exec(read('packages/core/src/pipeline/snapshot.ts'))?.[1];
    const inCode = [...(states ?? '').matchAll(/'(\w+)'/g)].map(([, state]) => state);
    expect(new Set(drawn)).toEqual(new Set(inCode));
  });
});

describe('docs/code-map.md', () => {
  it('lists every file of core with more than 300 lines', () => {
    const page = read('docs/code-map.md');
    const long = code
      .sourcesOf('packages/core/src')
      .filter((file) => read(file).split('\n').length > 301)
      .map((file) => file.replace('packages/core/src/', ''));
    expect(long.length).toBeGreaterThan(5);
    expect(long.filter((file) => !page.includes(`\`${file}\``))).toEqual([]);
  });
});

describe('namesOf', () => {
  it('reads backticks of the text, and of pictures what looks like a name', () => {
    const text =
      'a `name` and `a/b.ts`\n```\n[SinkTask] ─► sink.write(x) plain\n```\n```sh\nBigThing\n```\n`end`';
    expect(namesOf(text)).toEqual([
      { text: 'name', line: 1 },
      { text: 'a/b.ts', line: 1 },
      { text: 'SinkTask', line: 3 },
      { text: 'sink.write', line: 3 },
      { text: 'end', line: 8 },
    ]);
  });
});

describe('Code', () => {
  it.each([
    'ConcurrentPipeline',
    'run()',
    'sink.flush()',
    'policy/retry.ts',
    'packages/core/src/policy/',
    'packages/*/src/errors.ts',
    'SW_DELIVERY_UNSETTLED',
    'pnpm anything at all',
    '@streamweld/none',
    'a → b',
  ])('knows %s', (name) => {
    expect(code.problemOf(name)).toBeUndefined();
  });

  it.each([
    ['ConcurrentConveyor', 'the code has no ConcurrentConveyor'],
    ['sink.flushAllOfIt()', 'the code has no flushAllOfIt'],
    ['policy/hope.ts', 'there is no policy/hope.ts'],
    ['hope.ts', 'there is no hope.ts'],
    ['packages/none/', 'there is no packages/none/'],
    ['SW_DELIVERY_HOPED', 'the code has no SW_DELIVERY_HOPED'],
  ])('misses %s', (name, problem) => {
    expect(code.problemOf(name)).toBe(problem);
  });
});
