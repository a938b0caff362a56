import parseChangeset from '@changesets/parse';

/** How far a version is raised; `none`: not at all. */
export type Bump = 'none' | 'patch' | 'minor' | 'major';

const ORDER: readonly Bump[] = ['none', 'patch', 'minor', 'major'];

export function isEnough(declared: Bump, needed: Bump): boolean {
  return ORDER.indexOf(declared) >= ORDER.indexOf(needed);
}

/** What the changesets say of one package, all together. */
export interface Declared {
  readonly bump: Bump;
  /** Whether one of them says that what changed breaks nobody: a line `API: compatible, because …`. */
  readonly isCompatible: boolean;
}

/** @param changesets The texts of the files in `.changeset`. */
export function declared(name: string, changesets: readonly string[]): Declared {
  let bump: Bump = 'none';
  let isCompatible = false;
  for (const text of changesets) {
    const { releases, summary } = parseChangeset(text);
    const type = releases.find((release) => release.name === name)?.type;
    if (type === undefined) continue;
    if (!isEnough(bump, type)) bump = type;
    isCompatible ||= /^API: compatible, because \S/mu.test(summary);
  }
  return { bump, isCompatible };
}

/** How far the version has been raised already, as the pull request "Version packages" does, which uses changesets up. */
export function raised(before: string, after: string): Bump {
  const [major, minor, patch] = before.split(/[.-]/u);
  const [majorNow, minorNow, patchNow] = after.split(/[.-]/u);
  if (major !== majorNow) return 'major';
  if (minor !== minorNow) return 'minor';
  return patch === patchNow ? 'none' : 'patch';
}

/** Before 1.0 a minor version may break, and a patch may add; from 1.0 on, as semver has it. */
export function needed(version: string, what: 'addition' | 'break'): Bump {
  const isStable = !version.startsWith('0.');
  if (what === 'break') return isStable ? 'major' : 'minor';
  return isStable ? 'minor' : 'patch';
}
