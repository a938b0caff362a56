import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choose } from '../example/choose.ts';
import { type Example, findExamples, type Group, listLines } from '../example/examples.ts';

const MAIN = join(import.meta.dirname, '../example/main.ts');

function example(name: string, group?: Group): Example {
  return { name, description: `what ${name} shows`, group, main: `/apps/${name}/src/main.ts` };
}

const EXAMPLES = [
  example('comparison'),
  example('mails', 'dispatcher'),
  example('orders', 'dispatcher'),
  example('scraper', 'concurrent'),
  example('trips'),
];

describe('choose', () => {
  it.each([[], ['--help'], ['-h'], ['--'], ['--', '--help']])('lists them for %j %j', (...typed) => {
    expect(choose(typed, EXAMPLES)).toEqual({ kind: 'list' });
  });

  it.each([
    ['trips'],
    ['-- trips'],
    ['trips --limit 3', '--limit', '3'],
    ['trips -- --limit 3', '--limit', '3'],
    ['-- trips -- --limit 3', '--limit', '3'],
    // Only the first two dashes are the command's own.
    ['trips -- --', '--'],
    ['trips --help', '--help'],
  ])('runs %s with what follows', (typed, ...args) => {
    const [, , , , trips] = EXAMPLES;
    expect(choose(typed.split(' '), EXAMPLES)).toEqual({ kind: 'run', example: trips, args });
  });

  it('asks which of a group, or is told', () => {
    const [, mails, orders, scraper] = EXAMPLES;
    expect(choose(['dispatcher'], EXAMPLES)).toEqual({
      kind: 'ask',
      group: 'dispatcher',
      among: [mails, orders],
      args: [],
    });
    expect(choose(['concurrent', '--', '--fast'], EXAMPLES)).toMatchObject({
      kind: 'ask',
      among: [scraper],
      args: ['--fast'],
    });
    expect(choose(['dispatcher', 'orders', '--fast'], EXAMPLES)).toEqual({
      kind: 'run',
      example: orders,
      args: ['--fast'],
    });
  });

  it.each([
    [['cargo'], "There is no example 'cargo'."],
    [['dispatcher', 'scraper'], "There is no example 'scraper' of 'dispatcher'."],
    [['constructor'], "There is no example 'constructor'."],
  ])('knows no %j', (typed, message) => {
    expect(choose(typed, EXAMPLES)).toEqual({ kind: 'unknown', message });
  });

  it('knows no group of which nothing is there', () => {
    expect(choose(['concurrent'], [example('trips')])).toEqual({
      kind: 'unknown',
      message: "There is no example of 'concurrent' here.",
    });
  });
});

describe('listLines', () => {
  it('puts those of a group below it, between the first and the others', () => {
    expect(listLines(EXAMPLES, 120)).toEqual([
      '  comparison                what comparison shows',
      '  concurrent                concurrent pipelines: one source, one sink, at the same time',
      '    scraper                 what scraper shows',
      '  dispatcher                dispatchers: one source, many sinks',
      '    mails                   what mails shows',
      '    orders                  what orders shows',
      '  trips                     what trips shows',
    ]);
  });

  it('breaks what is too long', () => {
    const long = { ...example('trips'), description: 'all trips that were ever made by anybody' };
    expect(listLines([long], 50)).toEqual([
      '  trips                     all trips that were\n                            ever made by anybody',
    ]);
  });
});

describe('findExamples', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'examples-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('finds each app that can be run, and believes its package.json', () => {
    const put = (name: string, about: object | undefined, file: string) => {
      mkdirSync(join(folder, name, 'src'), { recursive: true });
      if (about !== undefined) writeFileSync(join(folder, name, 'package.json'), JSON.stringify(about));
      writeFileSync(join(folder, name, 'src', file), '');
    };
    put('orders', { description: 'Orders.', keywords: ['streams', 'dispatcher'] }, 'main.ts');
    put('trips', { description: 'Trips.' }, 'main.ts');
    put('begun', { description: 'Not there yet.' }, 'pipeline.ts');
    put('left', undefined, 'main.ts');
    const main = (name: string) => join(folder, name, 'src/main.ts');
    expect(findExamples(folder)).toEqual([
      { name: 'orders', description: 'Orders.', group: 'dispatcher', main: main('orders') },
      { name: 'trips', description: 'Trips.', group: undefined, main: main('trips') },
    ]);
  });

  it('finds those of the repository, each with its line', () => {
    const found = findExamples();
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['concurrency-vs-dispatch', 'flights', 'many-processes']),
    );
    for (const { name, description } of found)
      expect([name, description]).toEqual([name, expect.stringMatching(/\.$/u)]);
  });
});

/** As `pnpm example` starts it, without a terminal. */
async function run(args: string) {
  const child = spawn(
    process.execPath,
    ['--conditions=@streamweld/source', '--import', 'tsx', MAIN, ...args.split(' ').filter(Boolean)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

describe('pnpm example', () => {
  it('lists what is there', async () => {
    const { code, stdout } = await run('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}concurrency-vs-dispatch +\S/mu);
    expect(stdout).toMatch(/^ {2}flights +Three million flights/mu);
  });

  it('answers a name that there is not with those that there are', async () => {
    const { code, stdout, stderr } = await run('-- fligths');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/There is no example 'fligths'\.\nThere are:[^]*^ {2}flights /mu);
  });

  it('runs what is named with its own arguments, and ends as it does', async () => {
    const done = await run('concurrency-vs-dispatch -- --mode demand --items 10 --sinks 1ms --progress none');
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toContain('✓ demand      10 items in');
    const wrong = await run('flights --limit none');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("got 'none'")]);
    expect((await run('many-processes --rule none')).code).toBe(2);
  });
});
