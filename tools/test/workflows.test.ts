import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: { readonly 'cancel-in-progress'?: boolean };
  readonly jobs: Readonly<Record<string, Job>>;
}

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.github/workflows');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const files = readdirSync(folder);
const jobs = files.flatMap((file) =>
  Object.entries((parse(read(file)) as Workflow).jobs).map(([name, job]) => ({
    where: `${file}: ${name}`,
    job,
  })),
);
const release = parse(read('release.yml')) as Workflow;

describe('workflows', () => {
  it.each(files)('%s pins each action by its commit, and says which version that is', (file) => {
    const lines = read(file)
      .split('\n')
      .filter((line) => /\buses:/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('pin an action to the same commit everywhere', () => {
    const uses = new Set(files.flatMap((file) => read(file).match(/uses: .*/g) ?? []));
    const actions = [...uses].map((line) => line.slice(0, line.indexOf('@')));
    expect(actions).toEqual([...new Set(actions)]);
  });

  it.each(files)('%s gives jobs nothing but to read, unless they ask', (file) => {
    const { permissions } = parse(read(file)) as Workflow;
    expect(permissions).toBeDefined();
    expect(Object.values(permissions ?? {}).filter((each) => each !== 'read')).toEqual([]);
  });

  it.each(jobs.map(({ where, job }) => [where, job] as const))(
    '%s keeps no credentials in the checkout, and ends',
    (_where, job) => {
      const checkouts = job.steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
      expect(checkouts.map((step) => step.with?.['persist-credentials'])).toEqual(checkouts.map(() => false));
      expect(job['timeout-minutes']).toBeGreaterThan(0);
    },
  );
});

describe('the release workflow', () => {
  it('gives each job what it needs, and runs no test beside a token that may write', () => {
    expect(
      Object.fromEntries(Object.entries(release.jobs).map(([name, job]) => [name, job.permissions])),
    ).toEqual({
      check: { contents: 'read' },
      version: { contents: 'write', 'pull-requests': 'write' },
      publish: { contents: 'write', 'id-token': 'write' },
    });
    const tests = Object.entries(release.jobs).filter(([, job]) =>
      job.steps.some(({ run }) => run === '.ci/run'),
    );
    expect(tests.map(([name]) => name)).toEqual(['check']);
  });

  it('is not broken off while it publishes', () => {
    expect(release.concurrency?.['cancel-in-progress']).toBe(false);
  });

  it('takes the pnpm of packageManager where it may write, and no other', () => {
    const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      packageManager: string;
    };
    const said = read('release.yml').match(/pnpm@[\w.]+/g) ?? [];
    expect(new Set(said)).toEqual(new Set([packageManager]));
  });

  it('has no token in it: npm trusts it by its name, which CONTRIBUTING tells', () => {
    expect(read('release.yml')).not.toMatch(/secrets\.|NPM_TOKEN|NODE_AUTH_TOKEN|^ +registry-url:/m);
    expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toContain(
      '--file release.yml --allow-publish',
    );
  });
});
