/** What a door shows: the text of its reviewed file, and what its signatures name that nobody can import. */
export interface DoorReport {
  readonly text: string;
  readonly unexported: readonly string[];
}

/**
 * Makes the reviewed text out of a report of API Extractor. What goes: comments, because words may change without the
 * API changing; and declarations that only members marked `@internal` lead to. What stays is in the tool's order, by name.
 */
export function tidy(specifier: string, report: string): DoorReport {
  const code = /```ts\n(.*)\n```/su.exec(report)?.[1];
  if (code === undefined) throw new Error(`There is no block of code in the report about ${specifier}.`);
  const chunks = code
    .split(/\n\n+(?=[^\s}])/u)
    .map((chunk) => withoutComments(chunk.trim()))
    .filter((chunk) => chunk !== '');
  const isImport = (chunk: string): boolean => chunk.startsWith('import ');
  const declarations = chunks.filter((chunk) => !isImport(chunk));
  const kept = reachable(declarations);
  const used = new Set(kept.flatMap(identifiers));
  const imports = chunks
    .filter(isImport)
    .flatMap((chunk) => chunk.split('\n'))
    .filter((line) => identifiers(line.slice(0, line.lastIndexOf(' from '))).some((name) => used.has(name)));
  const body = [...(imports.length === 0 ? [] : [imports.join('\n')]), ...kept].join('\n\n');
  return {
    text: `# \`${specifier}\`

What can be imported from here, made by \`pnpm api\`: not to be edited, but to be read when it changes. A declaration
without \`export\` is part of a signature and cannot be imported. Left out: comments, and what is private or \`@internal\`.

\`\`\`ts
${body}
\`\`\`
`,
    unexported: [...new Set(kept.filter((chunk) => !isExported(chunk)).map(nameOf))],
  };
}

/** Of comments, only the mark of a deprecation is part of the API: editors strike such a name through. */
function withoutComments(chunk: string): string {
  return chunk
    .split('\n')
    .map((line) => (/^\s*\/\/.*@deprecated/u.test(line) ? line.replace(/\/\/.*/u, '// @deprecated') : line))
    .filter((line) => line !== '' && !/^\s*\/\/(?! @deprecated$)/u.test(line))
    .join('\n');
}

/** Declarations that are exported, and those that they name, and so on. */
function reachable(declarations: readonly string[]): string[] {
  const byName = new Map<string, string[]>();
  for (const each of declarations) byName.set(nameOf(each), [...(byName.get(nameOf(each)) ?? []), each]);
  const kept = new Set(declarations.filter(isExported));
  for (const declaration of kept) {
    // A set that grows while it is walked is walked to its new end.
    for (const name of identifiers(declaration)) {
      for (const named of byName.get(name) ?? []) kept.add(named);
    }
  }
  return declarations.filter((declaration) => kept.has(declaration));
}

function isExported(declaration: string): boolean {
  return /^export /mu.test(declaration);
}

function nameOf(declaration: string): string {
  return (
    /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|let|function|enum|namespace) (\w+)/mu.exec(
      declaration,
    )?.[1] ?? declaration
  );
}

/** The names in a piece of code; words within quotes are none. */
function identifiers(code: string): string[] {
  return code.replaceAll(/'[^'\n]*'|"[^"\n]*"/gu, '').match(/[A-Za-z_$][\w$]*/gu) ?? [];
}
