/** A name that goes, as its doc comment says. */
export interface Deprecation {
  /** `packages/core/src/x.ts:12`. */
  readonly place: string;
  readonly since: string;
  readonly removedIn: string;
  /** The sentence with the replacement. */
  readonly advice: string;
}

const FORM = /^since (\d+\.\d+\.\d+), to go in (\d+\.\d+\.\d+): (.*`.+`.*)$/u;

/** The deprecations of a source file, and what is wrong with how they are written. */
export function deprecationsOf(
  path: string,
  source: string,
): { readonly deprecations: Deprecation[]; readonly problems: string[] } {
  const deprecations: Deprecation[] = [];
  const problems: string[] = [];
  for (const comment of source.matchAll(/\/\*\*.*?\*\//gsu)) {
    const tag = /(?<=[\s*])@deprecated\b(.*?)(?=\n\s*\*\s*@|\*\/)/su.exec(comment[0]);
    if (tag === null) continue;
    const place = `${path}:${source.slice(0, comment.index + tag.index).split('\n').length}`;
    const text = (tag[1] ?? '').replaceAll(/\s*\n\s*\*?\s*/gu, ' ').trim();
    const [, since, removedIn, advice] = FORM.exec(text) ?? [];
    if (since === undefined || removedIn === undefined || advice === undefined)
      problems.push(
        `${place}: write "@deprecated since 0.3.0, to go in 1.0.0: use \`other\`." with the version that deprecates it, the one that takes it away, and in backticks what to use instead.`,
      );
    else deprecations.push({ place, since, removedIn, advice });
  }
  return { deprecations, problems };
}

/** What is overdue: a name that was to go in the version that the package has reached. */
export function overdue(deprecations: readonly Deprecation[], version: string): string[] {
  return deprecations
    .filter(({ removedIn }) => compareVersions(version, removedIn) >= 0)
    .map(
      ({ place, removedIn }) =>
        `${place}: this was to go in ${removedIn}, and the package is at ${version}: take it away, with a changeset.`,
    );
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10)));
  for (const [index, number] of (left ?? []).entries()) {
    const difference = number - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
