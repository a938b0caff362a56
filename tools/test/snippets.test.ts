import { describe, expect, it } from 'vitest';
import { allBlocks, blocksOf } from '../check-snippets/blocks.ts';
import { run, typeCheck } from '../check-snippets/check.ts';

describe('the documents', () => {
  for (const block of allBlocks().filter(({ runs }) => runs)) {
    it(`run as they say: ${block.document}:${block.line}`, { timeout: 60_000 }, () => {
      const { exitCode, stdout, stderr } = run(block);
      expect(exitCode, stderr).toBe(0);
      if (block.output !== undefined) expect(stdout.trimEnd()).toBe(block.output.trimEnd());
    });
  }
});

describe('blocksOf', () => {
  const fence = '```';

  it('finds ts blocks with their lines and marks, also in a list', () => {
    const text = `# Title\n${fence}ts\na\n${fence}\n- item\n  ${fence}ts no-check\n  b\n    c\n  ${fence}\n${fence}sh\nd\n${fence}\n`;
    expect(blocksOf('x.md', text)).toEqual([
      { document: 'x.md', line: 3, code: 'a', checked: true, runs: false },
      { document: 'x.md', line: 7, code: 'b\n  c', checked: false, runs: false },
    ]);
  });

  it('takes the text block of the same section as what a run block prints', () => {
    const block = `${fence}ts run\na\n${fence}\n`;
    const text = `${fence}text\n1\n${fence}\n`;
    expect(blocksOf('x.md', `${block}It prints:\n\n${text}`)[0]?.output).toBe('1');
    expect(blocksOf('x.md', `${block}## Next\n${text}`)[0]?.output).toBeUndefined();
    expect(blocksOf('x.md', `${block}${fence}sh\nls\n${fence}\n${text}`)[0]?.output).toBeUndefined();
  });

  it('reads a longer fence around a shorter one as one block', () => {
    expect(blocksOf('x.md', `\`${fence}md\n${fence}ts\na\n${fence}\n\`${fence}\n`)).toEqual([]);
  });

  it('refuses an unknown mark and a block without an end', () => {
    expect(() => blocksOf('x.md', `${fence}ts nocheck\na\n${fence}\n`)).toThrow('x.md:1');
    expect(() => blocksOf('x.md', `\n${fence}ts\na\n`)).toThrow('x.md:2: this block has no end');
  });
});

describe('typeCheck', () => {
  it('names the document and line of what is wrong', { timeout: 120_000 }, () => {
    const block = { document: 'docs/x.md', line: 12, checked: true, runs: false };
    const wrong = { ...block, code: `const ok = 1;\nconst n: number = 'one';` };
    expect(typeCheck([wrong])).toContain(
      `docs/x.md(13,7): error TS2322: Type 'string' is not assignable to type 'number'.`,
    );
  });
});
