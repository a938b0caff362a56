/** What a document about the code names: files, folders, and names of the code, so that a test can say which are gone. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Names {
  /** What is written in backticks, and what a picture has in CamelCase or with `.ts`, each with the line it stands on. */
  readonly text: string;
  readonly line: number;
}

/** The names of a document, of its text and of its pictures (fenced blocks without a language). Commands are left out. */
export function namesOf(document: string): Names[] {
  let isPicture = false;
  let isCode = false;
  return document.split(/\r?\n/).flatMap((content, index) => {
    const fence = /^\s*```(\w*)/.exec(content);
    if (fence !== null) {
      const begins = !isPicture && !isCode;
      isPicture = begins && fence[1] === '';
      isCode = begins && fence[1] !== '';
      return [];
    }
    if (isCode) return [];
    const found = isPicture
      ? content.match(/\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\b[a-z]+\.[a-z]+(?=\()|[\w/-]+\.ts\b/g)
      : [...content.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
    return (found ?? []).map((text) => ({ text, line: index + 1 }));
  });
}

/** What there is to be named: asked for a name, says what is missing of it. */
export class Code {
  readonly #root: string;
  /** Paths from the root, of files and folders. */
  readonly #paths: readonly string[];
  readonly #words = new Set<string>();

  /** @param folders those in which names of the code may be, from the root */
  constructor(root: string, folders: readonly string[]) {
    this.#root = root;
    this.#paths = folders.flatMap((folder) => [folder, ...list(root, folder)]);
    for (const file of this.#paths) this.#words.add(path.posix.basename(file).replace(/(\.\w+)+$/, ''));
    for (const file of this.sourcesOf('').filter((each) => !each.startsWith('tools/test/'))) {
      // A name that only a comment still has is gone.
      const text = readFileSync(path.join(root, file), 'utf8').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
      for (const [word] of text.matchAll(/[A-Za-z_$][\w$]*/g)) this.#words.add(word);
    }
  }

  /** The files of code below a folder, as paths from the root. */
  sourcesOf(folder: string): string[] {
    return this.#paths.filter((each) => each.startsWith(folder) && /\.(ts|mts|mjs|cjs)$/.test(each));
  }

  /** @returns what is wrong, or nothing where the name is there or is none */
  problemOf(name: string): string | undefined {
    // Commands, package names, pictures of states and sentences of code are not names.
    if (/^(pnpm|npx|npm|git|node)\b|^@|[→⇄]|^\[|^\{/.test(name)) return undefined;
    if (/^[\w.*-]*\/[\w./*-]*$|\.(ts|mjs|cjs|json|jsonc|md|yml|yaml)$/.test(name))
      return this.#hasPath(name) ? undefined : `there is no ${name}`;
    const words = /^[#.]?[A-Za-z_$][\w$-]*(\.[#\w$]+)*(\(.*\))?$/.test(name)
      ? name.replace(/\(.*\)$/, '').split('.')
      : [];
    const missing = words.filter((word) => word !== '' && !this.#words.has(word.replace(/^#/, '')));
    return missing.length === 0 ? undefined : `the code has no ${missing.join(', ')}`;
  }

  /** From the root, or the end of a path: `policy/retry.ts`. An asterisk stands for anything but a slash. */
  #hasPath(name: string): boolean {
    const plain = name.replace(/\/$/, '');
    if (!plain.includes('*') && existsSync(path.join(this.#root, plain))) return true;
    const pattern = plain.replaceAll(/[.+?^$()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '[^/]*');
    const end = new RegExp(`(^|/)${pattern}$`);
    return this.#paths.some((each) => end.test(each));
  }
}

function list(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (['node_modules', 'dist', '.blocks'].includes(entry.name)) return [];
    return entry.isDirectory() ? [name, ...list(root, name)] : [name];
  });
}
