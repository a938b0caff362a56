import { spawnSync } from 'node:child_process';

/** The state that the working tree is compared with. */
export interface Base {
  readonly commit: string;
  /** For people: `where this branch left origin/main`. */
  readonly what: string;
  /** Whether changesets that were there already count too. On main they do: nothing has used them up yet. */
  readonly countsOldChangesets: boolean;
}

/** The past of a workspace, as git knows it. */
export class History {
  readonly #workspace: string;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  /**
   * What a package's API is compared with:
   * on a branch, where it left main, because that is what a review sees;
   * on main, the package's last release, because that is what its users have; before the first, the commit before;
   * with changes on main that are not committed yet, the last commit.
   *
   * @param named A commit, instead of all that.
   * @returns `undefined` for the first commit of all, which has nothing before it.
   * @throws Error when the past is not here (a shallow clone, no clone at all), with what to do.
   */
  base(packageName: string, named?: string): Base | undefined {
    if (named !== undefined)
      return {
        commit: this.#must('rev-parse', `${named}^{commit}`),
        what: named,
        countsOldChangesets: false,
      };
    const head = this.#must('rev-parse', 'HEAD');
    const main = ['origin/main', 'main'].find((ref) => this.#ask('rev-parse', '--verify', '--quiet', ref));
    const left = main === undefined ? undefined : this.#ask('merge-base', 'HEAD', main);
    if (main !== undefined && left === undefined) throw this.#missing();
    if (left !== undefined && left !== head)
      return { commit: left, what: `where this branch left ${main}`, countsOldChangesets: false };
    if (this.#must('status', '--porcelain', '--', 'packages', '.changeset') !== '')
      return { commit: head, what: 'the last commit', countsOldChangesets: false };
    const tag = this.#ask('describe', '--tags', '--abbrev=0', '--match', `${packageName}@*`, 'HEAD');
    if (tag !== undefined) return { commit: tag, what: `the release ${tag}`, countsOldChangesets: true };
    if (this.#isShallow()) throw this.#missing();
    const parent = this.#ask('rev-parse', '--verify', '--quiet', 'HEAD^');
    return parent === undefined
      ? undefined
      : { commit: parent, what: 'the commit before', countsOldChangesets: true };
  }

  /** The files of a folder, by their paths from the top of the workspace. */
  files(commit: string, folder: string): string[] {
    return this.#must('ls-tree', '-r', '--name-only', commit, '--', folder).split('\n').filter(Boolean);
  }

  /** The text of a file; `undefined` where it was not there. */
  read(commit: string, path: string): string | undefined {
    const { status, stdout } = this.#git(['show', `${commit}:${path}`]);
    return status === 0 ? stdout : undefined;
  }

  #isShallow(): boolean {
    return this.#must('rev-parse', '--is-shallow-repository') === 'true';
  }

  #missing(): Error {
    return new Error(
      this.#isShallow()
        ? 'This clone is shallow, so the API cannot be compared with what it was: run `git fetch --unshallow` (in a workflow: `fetch-depth: 0`), or name a commit: `pnpm api:check --base COMMIT`.'
        : 'This branch and main have no commit in common: name one to compare with, `pnpm api:check --base COMMIT`.',
    );
  }

  #must(...args: string[]): string {
    const { status, stdout, stderr, error } = this.#git(args);
    if (error !== undefined || status !== 0)
      throw new Error(
        `The past of the API is not known here: git ${args.join(' ')} failed. ${error?.message ?? stderr.trim()} Name a commit of a clone with history: \`pnpm api:check --base COMMIT\`.`,
      );
    return stdout.trim();
  }

  #ask(...args: string[]): string | undefined {
    const { status, stdout } = this.#git(args);
    return status === 0 ? stdout.trim() : undefined;
  }

  #git(args: readonly string[]): { status: number | null; stdout: string; stderr: string; error?: Error } {
    return spawnSync('git', args, { cwd: this.#workspace, encoding: 'utf8', maxBuffer: 64 << 20 });
  }
}
