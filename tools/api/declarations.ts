/** One declaration of an api file, or all overloads of one function. */
export interface Declaration {
  readonly name: string;
  readonly kind: string;
  readonly isExported: boolean;
  /** Its lines, without the word `export`. */
  readonly lines: readonly string[];
}

const HEAD =
  /^(?:export )?(?:declare )?(?:abstract )?(class|interface|type|const|let|function|enum|namespace) ([\w$]+)/u;
const RENAMED = /^export \{ ([\w$]+)(?: as ([\w$]+))? \}/mu;

/** Takes the code of an api file apart. Imports are left out: which name stands for what is said where it is used. */
export function declarationsOf(apiFile: string): ReadonlyMap<string, Declaration> {
  const code = /```ts\n(.*)\n```/su.exec(apiFile)?.[1] ?? '';
  const declarations = new Map<string, Declaration>();
  for (const chunk of code.split(/\n\n+/u)) {
    if (chunk.startsWith('import ')) continue;
    const lines = chunk.split('\n').map((line) => line.replace(/^export (?!\{)/u, ''));
    const head = lines.map((line) => HEAD.exec(line)).find((match) => match !== null);
    const renamed = RENAMED.exec(chunk);
    const name = renamed?.[2] ?? renamed?.[1] ?? head?.[2] ?? chunk;
    const before = declarations.get(name);
    declarations.set(name, {
      name,
      kind: head?.[1] ?? 'export',
      isExported: /^export /mu.test(chunk) || before?.isExported === true,
      lines: [...(before?.lines ?? []), ...lines],
    });
  }
  return declarations;
}
