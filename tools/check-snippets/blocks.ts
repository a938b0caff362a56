import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A fenced `ts` block of a document. */
export interface Block {
  /** The document, from the top of the workspace, with forward slashes. */
  readonly document: string;
  /** The line of the document on which the code begins, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** Not marked `no-check`. */
  readonly checked: boolean;
  /** Marked `run`: a test runs it. */
  readonly runs: boolean;
  /** What it prints: the `text` block that is next in the same section. */
  readonly output?: string;
}

export const workspace: string = join(import.meta.dirname, '../..');

/** The blocks of every document that speaks to users: the top level, each package and app, and docs. */
export function allBlocks(): Block[] {
  return documents().flatMap((path) => blocksOf(path, readFileSync(join(workspace, path), 'utf8')));
}

function documents(): string[] {
  const inside = (folder: string, recursive = false): string[] =>
    existsSync(join(workspace, folder))
      ? readdirSync(join(workspace, folder), { recursive, encoding: 'utf8' }).map((name) =>
          join(folder, name),
        )
      : [];
  return [
    ...inside('.').filter((path) => path.endsWith('.md')),
    ...['packages', 'apps'].flatMap((group) =>
      inside(group).flatMap((folder) => [join(folder, 'README.md'), join(folder, 'AGENTS.md')]),
    ),
    ...inside('docs', true).filter(
      (path) => path.endsWith('.md') && !/node_modules|\.(?:site|vitepress)\//u.test(path),
    ),
  ]
    .filter((path) => existsSync(join(workspace, path)))
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
}

/** The `ts` blocks of one Markdown text. A mark it does not know is an error: a misspelt one would check less. */
export function blocksOf(document: string, text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split(/\r?\n/);
  /** The `run` block whose output may be what comes next. */
  let waiting: Block | undefined;
  for (let i = 0; i < lines.length; i += 1) {
    if (lines[i]?.startsWith('#')) waiting = undefined;
    const fence = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(lines[i] ?? '');
    if (fence === null) continue;
    const [, indent = '', ticks = '', info = ''] = fence;
    const [language = '', ...marks] = info.trim().split(/\s+/);
    const body: string[] = [];
    const line = i + 2;
    for (i += 1; i < lines.length && !isEnd(lines[i] ?? '', ticks); i += 1) {
      body.push((lines[i] ?? '').replace(new RegExp(`^\\s{0,${indent.length}}`), ''));
    }
    if (i === lines.length) throw new Error(`${document}:${line - 1}: this block has no end`);
    const code = body.join('\n');

    if (waiting !== undefined && language === 'text')
      blocks[blocks.indexOf(waiting)] = { ...waiting, output: code };
    waiting = undefined;
    if (language !== 'ts' && language !== 'typescript') continue;
    const unknown = marks.find((mark) => mark !== 'run' && mark !== 'no-check');
    if (unknown !== undefined) {
      throw new Error(
        `${document}:${line - 1}: a ts block is marked "run", "no-check" or not at all, not "${unknown}"`,
      );
    }
    const block = { document, line, code, checked: !marks.includes('no-check'), runs: marks.includes('run') };
    blocks.push(block);
    if (block.runs) waiting = block;
  }
  return blocks;
}

/** A fence ends with the same sign, at least as many of it, and nothing else. */
function isEnd(line: string, ticks: string): boolean {
  const trimmed = line.trim();
  return trimmed.startsWith(ticks) && trimmed.replaceAll(ticks[0] ?? '', '') === '';
}
