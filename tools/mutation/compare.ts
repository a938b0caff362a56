/** Holds what survived against the list of what may. */

/** A mutant that no test can tell from the code, or need not. Known by its text, so that it outlives edits elsewhere. */
export interface Survivor {
  /** From `packages/core/src` on. */
  readonly file: string;
  readonly mutator: string;
  /** What stands in the code, and what the mutant has instead, with single spaces. */
  readonly original: string;
  readonly replacement: string;
  /** How often the file has it. Default 1. */
  readonly times?: number | undefined;
  readonly why: string;
}

interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Mutant {
  readonly file: string;
  readonly mutator: string;
  readonly replacement: string;
  readonly status: string;
  /** Lines and columns from 1 on. */
  readonly location: { readonly start: Place; readonly end: Place };
  readonly source: string;
}

export interface Comparison {
  /** Mutants that a test saw, those that looped included. */
  readonly killed: number;
  readonly explained: number;
  readonly unexplained: readonly (Survivor & { readonly line: number })[];
  readonly stale: readonly Survivor[];
}

export function compare(mutants: readonly Mutant[], known: readonly Survivor[]): Comparison {
  const left = new Map(known.map((survivor) => [keyOf(survivor), survivor.times ?? 1]));
  const unexplained: (Survivor & { line: number })[] = [];
  let killed = 0;
  let explained = 0;
  for (const mutant of mutants) {
    if (mutant.status === 'Killed' || mutant.status === 'Timeout') killed += 1;
    if (mutant.status !== 'Survived' && mutant.status !== 'NoCoverage') continue;
    const survivor = survivorOf(mutant);
    const key = keyOf(survivor);
    const times = left.get(key) ?? 0;
    if (times > 0) {
      left.set(key, times - 1);
      explained += 1;
    } else {
      unexplained.push({ ...survivor, line: mutant.location.start.line });
    }
  }
  const stale = known.filter((survivor) => (left.get(keyOf(survivor)) ?? 0) > 0);
  return { killed, explained, unexplained, stale };
}

function survivorOf({ file, mutator, replacement, location, source }: Mutant): Survivor {
  const { start, end } = location;
  const lines = source.split('\n').slice(start.line - 1, end.line);
  const last = lines.length - 1;
  lines[last] = lines[last]?.slice(0, end.column - 1) ?? '';
  lines[0] = lines[0]?.slice(start.column - 1) ?? '';
  return { file, mutator, original: oneLine(lines.join('\n')), replacement: oneLine(replacement), why: '' };
}

function keyOf({ file, mutator, original, replacement }: Survivor): string {
  return JSON.stringify([file, mutator, original, replacement]);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
