/**
 * Holds docs/contracts.md, the doc comments of the contracts and the names of tests together, both ways. It is given texts
 * and reads no file, so that it can be tried on texts that are wrong.
 */

export interface Contracts {
  /** docs/contracts.md. */
  readonly page: string;
  /** The files whose doc comments number the rules. */
  readonly code: readonly string[];
  /** Test files, and the checks of the conformance kit. */
  readonly tests: readonly string[];
  /** The codes that docs/errors.md explains. */
  readonly codes: ReadonlySet<string>;
}

interface Section {
  readonly rule: string;
  readonly sentence: string;
  readonly lines: ReadonlyMap<string, string>;
}

/** How many rules each chapter of Reactive Streams has. */
const REACTIVE_STREAMS = [11, 13, 17, 2].flatMap((count, chapter) =>
  Array.from({ length: count }, (_, index) => `${chapter + 1}.${String(index + 1).padStart(2, '0')}`),
);

const LINES = ['Kept by', 'Why', 'Broken'];

/** What does not fit together, each as a sentence; nothing where all does. */
export function findMismatches({ page, code, tests, codes }: Contracts): string[] {
  const rules = new Map(code.flatMap(readRules));
  const sections = readSections(page);
  const untested = readUntested(page);
  const tested = new Set(tests.flatMap(readTitles));
  return [
    ...checkNumbers(code.flatMap(readRules).map(([rule]) => rule)),
    ...checkSections(rules, sections, codes),
    ...checkReactiveStreams(page, rules, sections),
    ...[...tested]
      .filter((rule) => !rules.has(rule))
      .map((rule) => `A test begins with ${rule}, which is no rule.`),
    ...[...rules.keys()]
      .filter((rule) => !tested.has(rule) && !untested.has(rule))
      .map((rule) => `No test begins with ${rule}, and the page does not list it as untested.`),
    ...[...untested]
      .filter((rule) => tested.has(rule) || !rules.has(rule))
      .map((rule) => `The page lists ${rule} as untested: it is ${rules.has(rule) ? 'tested' : 'no rule'}.`),
  ];
}

/** The numbered rules of a doc comment, each with its sentence in one line. */
export function readRules(code: string): [string, string][] {
  const rules: [string, string][] = [];
  const text =
    code.match(/The rules \(a test that proves one begins with its number\):\n([^]*?)\n \*(?:\n|\/)/)?.[1] ??
    '';
  for (const line of text.split('\n')) {
    const [, rule, words] = line.match(/^ \*\s+([SKCD]\d+)\s+(.*)$/) ?? [];
    if (rule !== undefined && words !== undefined) rules.push([rule, words]);
    else (rules.at(-1) as [string, string])[1] += ` ${line.replace(/^ \*\s*/, '')}`;
  }
  return rules.map(([rule, sentence]) => [rule, oneLine(sentence)]);
}

/** The rules that the titles of tests begin with, and those of checks that are data: `rule: 'S3'`, `check('S3', …)`, `sinkCheck('K3', …)`. */
export function readTitles(code: string): string[] {
  const titles = code.matchAll(/(?:\b(?:it|test|describe)(?:\.\w+)*|\))\(\s*['"`]((?:[SKCD]\d+[ :,]+)+)/g);
  const checks = code.matchAll(/(?:\brule: |(?<![#.\w])(?:\w+C|c)heck\(\s*)'([A-Z]\d+)'\s*[,}]/g);
  return [
    ...[...titles].flatMap(([, numbers]) => numbers?.match(/\w+/g) ?? []),
    ...[...checks].map(([, rule]) => rule as string),
  ];
}

function readSections(page: string): Section[] {
  const parts = page.split(/^### /m).slice(1);
  return parts.map((part) => {
    const body = part.split(/^## /m)[0] as string;
    const quoted = body.match(/^>.*$/gm) ?? [];
    const lines = body
      .split(/^- /m)
      .slice(1)
      .map((line) => oneLine(line).match(/^([^:]+): (.+)$/));
    return {
      rule: body.match(/^\S+/)?.[0] ?? '',
      sentence: oneLine(quoted.map((line) => line.slice(1)).join(' ')),
      lines: new Map(lines.map((line) => [line?.[1] ?? '', line?.[2] ?? ''])),
    };
  });
}

function readUntested(page: string): Set<string> {
  const chapter = page.split(/^## Untested$/m)[1]?.split(/^## /m)[0] ?? '';
  return new Set([...chapter.matchAll(/^- ([SKCD]\d+): \S/gm)].map(([, rule]) => rule as string));
}

/** Numbers are never given twice and leave no gap: a rule that goes leaves its number behind, with a word why. */
function checkNumbers(numbers: readonly string[]): string[] {
  const found: string[] = [];
  for (const letter of ['S', 'K', 'C', 'D']) {
    const own = numbers.filter((rule) => rule.startsWith(letter));
    const expected = own.map((_, index) => `${letter}${index + 1}`);
    if (own.length === 0) found.push(`There are no rules ${letter}.`);
    if (own.join() !== expected.join()) found.push(`The rules ${letter} are numbered ${own.join(', ')}.`);
  }
  return found;
}

function checkSections(
  rules: ReadonlyMap<string, string>,
  sections: readonly Section[],
  codes: ReadonlySet<string>,
): string[] {
  const found: string[] = [];
  const onPage = sections.map(({ rule }) => rule);
  if (onPage.join() !== [...rules.keys()].join()) {
    const missing = [...rules.keys()].filter((rule) => !onPage.includes(rule));
    const strange = onPage.filter((rule) => !rules.has(rule));
    if (missing.length > 0) found.push(`Not on the page: ${missing.join(', ')}.`);
    if (strange.length > 0) found.push(`On the page, and in no doc comment: ${strange.join(', ')}.`);
    if (missing.length + strange.length === 0) found.push('The page has a rule twice, or out of order.');
  }
  for (const { rule, sentence, lines } of sections) {
    if (rules.has(rule) && rules.get(rule) !== sentence) {
      found.push(`${rule} reads '${sentence}' on the page, and '${rules.get(rule)}' in its doc comment.`);
    }
    for (const name of LINES)
      if ((lines.get(name) ?? '') === '') found.push(`${rule} does not say: ${name}.`);
    for (const name of lines.keys()) {
      if (![...LINES, 'Reactive Streams'].includes(name))
        found.push(`${rule} says '${name}', which is no line.`);
    }
    for (const code of (lines.get('Broken') ?? '').match(/SW_\w+/g) ?? []) {
      if (!codes.has(code)) found.push(`${rule} names ${code}, which docs/errors.md does not know.`);
    }
  }
  return found;
}

/** The table has each of the 43, and says the same as the rules say of themselves. */
function checkReactiveStreams(
  page: string,
  rules: ReadonlyMap<string, string>,
  sections: readonly Section[],
): string[] {
  const rows = [...page.matchAll(/^\| (\d\.\d\d) \|([^|]*)\|([^|]*)\|/gm)];
  const found: string[] = [];
  const numbers = rows.map(([, number]) => number as string);
  if (numbers.join() !== REACTIVE_STREAMS.join()) {
    found.push(
      `The table has not each of the ${REACTIVE_STREAMS.length} rules of Reactive Streams once, in order.`,
    );
  }
  const inTable = rows.flatMap(([, number, , became]) =>
    (became?.match(/\b[SKCD]\d+\b/g) ?? []).map((rule) => `${rule} ${number}`),
  );
  const inSections = sections.flatMap(({ rule, lines }) =>
    (lines.get('Reactive Streams')?.match(/\d\.\d\d/g) ?? []).map((number) => `${rule} ${number}`),
  );
  for (const pair of inTable) {
    if (!rules.has(pair.split(' ')[0] as string)) found.push(`The table names ${pair}, which is no rule.`);
    else if (!inSections.includes(pair)) found.push(`The table has ${pair}, and the rule does not say so.`);
  }
  for (const pair of inSections) if (!inTable.includes(pair)) found.push(`${pair} is not in the table.`);
  return found;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
