import { declared, isEnough, needed, raised } from './bumps.ts';
import { compare } from './compare.ts';
import { declarationsOf } from './declarations.ts';
import type { Base, History } from './history.ts';

/** Names that appear in signatures of a package and that none of its doors exports, beside those that `reasons` lists. */
export function unexportedProblems(
  packageName: string,
  doors: readonly { readonly text: string; readonly unexported: readonly string[] }[],
  reasons: Readonly<Record<string, string>>,
): string[] {
  const exported = new Set(
    doors
      .flatMap(({ text }) => [...declarationsOf(text).values()].filter((each) => each.isExported))
      .map(plainName),
  );
  const missing = new Set(
    doors
      .flatMap(({ unexported }) => unexported.map((name) => plainName({ name })))
      .filter((name) => !exported.has(name)),
  );
  return [
    ...[...missing]
      .filter((name) => reasons[name] === undefined)
      .map(
        (name) =>
          `${packageName}: ${name} appears in a signature and cannot be imported. Export it from the door, with a changeset; or, if no user needs its name, give the reason in tools/api/unexported.ts.`,
      ),
    ...Object.keys(reasons)
      .filter((name) => !missing.has(name))
      .map(
        (name) =>
          `${packageName}: ${name} is listed in tools/api/unexported.ts, and is not so any more: take it out.`,
      ),
  ];
}

/** Where two declarations of one name meet, the tool numbers the second: `Answer_2`. */
function plainName({ name }: { readonly name: string }): string {
  return name.replace(/_\d+$/u, '');
}

/** One package as it is in the working tree. */
export interface PackageNow {
  readonly name: string;
  /** From the top of the workspace: `packages/core`. */
  readonly folder: string;
  readonly version: string;
  /** Its api files by path. */
  readonly apiFiles: ReadonlyMap<string, string>;
}

/**
 * The rule of the changeset: who changes an api file says so to the users of this package, and how far.
 * A package whose api files were never recorded begins to be held to it.
 *
 * @param changesets The files of `.changeset`, by path, as they are in the working tree.
 */
export function changesetProblems(
  now: PackageNow,
  base: Base,
  history: History,
  changesets: ReadonlyMap<string, string>,
): string[] {
  const before = history.files(base.commit, `${now.folder}/api`);
  if (before.length === 0) return [];
  const breaking: string[] = [];
  const added: string[] = [];
  for (const path of new Set([...before, ...now.apiFiles.keys()])) {
    const changes = compare(history.read(base.commit, path), now.apiFiles.get(path));
    breaking.push(...changes.breaking);
    added.push(...changes.added);
  }
  if (breaking.length === 0 && added.length === 0) return [];
  const counting = [...changesets].filter(
    ([path, text]) => base.countsOldChangesets || history.read(base.commit, path) !== text,
  );
  const said = declared(
    now.name,
    counting.map(([, text]) => text),
  );
  const versionBefore = versionAt(history, base, now.folder);
  const isBreak = breaking.length > 0 && !said.isCompatible;
  const need = needed(versionBefore, isBreak ? 'break' : 'addition');
  if (isEnough(said.bump, need) || isEnough(raised(versionBefore, now.version), need)) return [];
  return [
    [
      `${now.name}: its API has changed since ${base.what}, and ${said.bump === 'none' ? 'no changeset says so' : `a changeset says only "${said.bump}"`}.`,
      ...[...breaking, ...added].map((line) => `    ${line}`),
      isBreak
        ? `  Of this, code that compiled may break. Write a changeset that raises ${now.name} by "${need}" (\`pnpm changeset\`), or keep the old name beside the new one, deprecated (CONTRIBUTING, "A name that goes"). If nobody's code can break, say why in the changeset, on a line of its own: "API: compatible, because …".`
        : `  Write a changeset that raises ${now.name} by "${need}" or more (\`pnpm changeset\`).`,
    ].join('\n'),
  ];
}

function versionAt(history: History, base: Base, folder: string): string {
  const manifest = history.read(base.commit, `${folder}/package.json`);
  return manifest === undefined ? '0.0.0' : (JSON.parse(manifest) as { version: string }).version;
}
