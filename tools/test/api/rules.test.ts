import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { History } from '../../api/history.ts';
import { changesetProblems, unexportedProblems } from '../../api/rules.ts';
import { Workspace } from './workspace.ts';

const API = 'packages/thing/api/index.api.md';
const CHANGESET = '.changeset/words.md';
const apiFile = (...lines: readonly string[]): string => `\`\`\`ts\n${lines.join('\n\n')}\n\`\`\`\n`;
const BEFORE = apiFile('export function open(name: string): void;');
const MORE = apiFile('export function close(): void;', 'export function open(name: string): void;');
const OTHER = apiFile('export function open(name: URL): void;');
const changeset = (bump: string, more = '', name = '@test/thing'): string =>
  `---\n'${name}': ${bump}\n---\n\nIt is otherwise.\n${more}`;

/** A repository with one commit on main: a package and its api file. */
function repository(version = '0.1.0') {
  const workspace = new Workspace();
  onTestFinished(() => workspace[Symbol.dispose]());
  const git = (...args: readonly string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false', ...args],
      { cwd: workspace.folder, encoding: 'utf8' },
    ).trim();
  git('init', '--quiet', '--initial-branch=main');
  const state = { version, api: BEFORE, changesets: new Map<string, string>() };
  let commits = 0;
  const write = (): void => {
    workspace.package('thing', '', state.version).write(API, state.api);
    for (const [path, text] of state.changesets) workspace.write(path, text);
  };
  const commit = (): string => {
    write();
    git('add', '.');
    // With the same words in the same second two branches would have the same commit.
    git('commit', '--quiet', '--allow-empty', '--message', `${(commits += 1)}`);
    return git('rev-parse', 'HEAD');
  };
  const first = commit();
  /** What the rule says of the state, committed or not. */
  const problems = (base?: string): string[] => {
    write();
    const history = new History(workspace.folder);
    const from = history.base('@test/thing', base);
    if (from === undefined) return [];
    const apiFiles = new Map([[API, state.api]]);
    const now = { name: '@test/thing', folder: 'packages/thing', version: state.version, apiFiles };
    return changesetProblems(now, from, history, state.changesets);
  };
  return { workspace, git, state, commit, first, problems };
}

describe('a changed api file', () => {
  for (const [what, api, version, need, said] of [
    ['what is new', MORE, '0.1.0', 'patch', 'Write a changeset that raises @test/thing by "patch" or more'],
    ['what is otherwise', OTHER, '0.1.0', 'minor', 'raises @test/thing by "minor"'],
    ['what is new after 1.0', MORE, '1.2.0', 'minor', 'by "minor" or more'],
    [
      'what is otherwise after 1.0',
      OTHER,
      '1.2.0',
      'major',
      'keep the old name beside the new one, deprecated',
    ],
  ] as const) {
    it(`needs a changeset: ${what}, ${need}`, () => {
      const { git, state, problems, commit } = repository(version);
      git('switch', '--quiet', '--create', 'change');
      state.api = api;
      expect(problems()).toEqual([expect.stringContaining('no changeset says so')]);
      expect(problems()[0]).toContain(said);
      state.changesets.set(CHANGESET, changeset(need));
      expect(problems()).toEqual([]);
      commit();
      expect(problems()).toEqual([]);
    });
  }

  it('is not told by a changeset of another package, by one that raises too little, or by one that was there', () => {
    const { git, state, commit, problems } = repository();
    state.changesets.set('.changeset/older.md', changeset('major'));
    commit();
    git('switch', '--quiet', '--create', 'change');
    state.api = OTHER;
    expect(problems()[0]).toContain('no changeset says so');
    state.changesets.set(CHANGESET, changeset('minor', '', '@test/other'));
    expect(problems()[0]).toContain('no changeset says so');
    state.changesets.set(CHANGESET, changeset('patch'));
    expect(problems()[0]).toContain('a changeset says only "patch"');
    expect(problems()[0]).toContain('open: was  function open(name: string): void;');
    expect(problems()[0]).toContain('open: now  function open(name: URL): void;');
  });

  it('may be said to break nobody, with the reason', () => {
    const { git, state, problems } = repository();
    git('switch', '--quiet', '--create', 'change');
    state.api = OTHER;
    state.changesets.set(CHANGESET, changeset('patch', '\nAPI: compatible, because nobody had it.\n'));
    expect(problems()).toEqual([]);
    state.changesets.set(CHANGESET, changeset('patch', '\nAPI: compatible, because \n'));
    expect(problems()).toHaveLength(1);
  });

  it('is told by the version itself where changesets were used up', () => {
    const { git, state, commit, problems } = repository();
    git('tag', '@test/thing@0.1.0');
    state.api = OTHER;
    state.changesets.set(CHANGESET, changeset('minor'));
    commit();
    expect(problems()).toEqual([]);
    git('rm', '--quiet', CHANGESET);
    state.changesets.clear();
    commit();
    expect(problems()).toHaveLength(1);
    state.version = '0.2.0';
    commit();
    expect(problems()).toEqual([]);
  });

  it('is a door that is gone, or one that is new', () => {
    const { git, workspace, state, commit } = repository();
    git('switch', '--quiet', '--create', 'change');
    commit();
    const history = new History(workspace.folder);
    const base = history.base('@test/thing');
    if (base === undefined) throw new Error('There is a commit before.');
    const now = (apiFiles: ReadonlyMap<string, string>) =>
      changesetProblems(
        { name: '@test/thing', folder: 'packages/thing', version: state.version, apiFiles },
        base,
        history,
        new Map(),
      );
    expect(now(new Map())[0]).toContain('open is exported no more');
    expect(
      now(
        new Map([
          [API, BEFORE],
          ['packages/thing/api/more.api.md', MORE],
        ]),
      )[0],
    ).toContain('close is new');
  });
});

describe('History.base', () => {
  it('is where a branch left main, whatever main has become', () => {
    const { workspace, git, commit, first } = repository();
    git('switch', '--quiet', '--create', 'change');
    commit();
    git('switch', '--quiet', 'main');
    commit();
    git('switch', '--quiet', 'change');
    expect(new History(workspace.folder).base('@test/thing')).toMatchObject({
      commit: first,
      what: 'where this branch left main',
    });
  });

  it('is on main the last release of the package; before the first, the commit before', () => {
    const { workspace, git, commit, first } = repository();
    const base = (name: string) => new History(workspace.folder).base(name);
    expect(base('@test/thing')).toBeUndefined();
    const second = commit();
    expect(base('@test/thing')).toMatchObject({ commit: first, what: 'the commit before' });
    git('tag', '@test/thing@0.1.0');
    git('tag', '@test/other@0.9.0');
    commit();
    commit();
    expect(base('@test/thing')).toMatchObject({ what: 'the release @test/thing@0.1.0' });
    expect(git('rev-parse', '@test/thing@0.1.0')).toBe(second);
  });

  it('is the last commit for what is on main and not committed', () => {
    const { workspace, commit } = repository();
    const second = commit();
    workspace.write(API, OTHER);
    expect(new History(workspace.folder).base('@test/thing')).toMatchObject({ commit: second });
  });

  it('is not in a shallow clone, which is told what to do, and can be named', () => {
    const { workspace, git, commit } = repository();
    const last = commit();
    const clone = new Workspace();
    onTestFinished(() => clone[Symbol.dispose]());
    const folder = join(clone.folder, 'clone');
    git('clone', '--quiet', '--depth', '1', `file://${workspace.folder}`, folder);
    expect(() => new History(folder).base('@test/thing')).toThrow('git fetch --unshallow');
    expect(new History(folder).base('@test/thing', last)).toMatchObject({ commit: last });
  });

  it('is not where there is no repository', () => {
    const workspace = new Workspace();
    onTestFinished(() => workspace[Symbol.dispose]());
    expect(() => new History(workspace.folder).base('@test/thing')).toThrow(
      'The past of the API is not known here',
    );
  });
});

describe('what a signature names', () => {
  const door = {
    text: apiFile('export function open(mode: Mode): void;', "type Mode = 'r' | 'w';"),
    unexported: ['Mode'],
  };

  it('is exported, or there is a reason why not', () => {
    expect(unexportedProblems('@test/thing', [door], {})).toEqual([
      expect.stringContaining('Mode appears in a signature and cannot be imported. Export it'),
    ]);
    expect(unexportedProblems('@test/thing', [door], { Mode: 'two words' })).toEqual([]);
    const other = { text: apiFile("export type Mode = 'r' | 'w';"), unexported: [] };
    expect(unexportedProblems('@test/thing', [door, other], {})).toEqual([]);
  });

  it('is not listed longer than it is so', () => {
    expect(unexportedProblems('@test/thing', [], { Mode: 'two words' })).toEqual([
      expect.stringContaining('is not so any more: take it out'),
    ]);
  });
});
