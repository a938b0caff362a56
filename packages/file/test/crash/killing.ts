/** Kills a copying process again and again, lets it end, and looks at what it made. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { Chance } from '../power-loss/chance.ts';
import { DEFECTS } from './defects.ts';
import { type Variant, VARIANTS } from './variants.ts';

/** A process that neither ends nor is killed hangs. */
const PATIENCE_MS = 30_000;

/** A program of this folder as one file: a process that reads it starts in a tenth of the time. */
export async function bundleProgram(folder: string, name = 'program'): Promise<string> {
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true, resolve: { conditions: ['@streamweld/source', 'node'] } },
    build: {
      ssr: join(import.meta.dirname, `${name}.ts`),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: 'node20',
      rolldownOptions: { output: { entryFileNames: `${name}.mjs` } },
    },
  });
  return join(folder, `${name}.mjs`);
}

interface Ended {
  readonly isKilled: boolean;
  readonly code: number | null;
  readonly ms: number;
}

export interface Outcome {
  readonly violations: string[];
  inputs: number;
  kills: number;
  runs: number;
  /** How often each point was met by any run, and how often a run was killed there. */
  readonly met: Map<string, number>;
  readonly killed: Map<string, number>;
  killedByTime: number;
}

/** Points that a run meets which nothing goes wrong with, by how often. */
type Census = ReadonlyMap<string, number>;

export class Killer {
  readonly outcome: Outcome = {
    violations: [],
    inputs: 0,
    kills: 0,
    runs: 0,
    met: new Map(),
    killed: new Map(),
    killedByTime: 0,
  };
  readonly #program: string;
  readonly #name: string;
  readonly #variant: Variant;
  readonly #chance: Chance;
  readonly #root: string;
  #census: Census = new Map();
  /** Points that only a run after a kill meets, and the kills that led there. */
  readonly #ledTo = new Map<string, readonly string[]>();
  #wholeMs = 500;

  constructor(program: string, name: string, seed: number) {
    this.#program = program;
    this.#name = name;
    this.#variant = (VARIANTS[name] ?? DEFECTS[name]) as Variant;
    this.#chance = new Chance(seed);
    this.#root = mkdtempSync(join(tmpdir(), 'streamweld-crash-'));
  }

  /** Copies once without a kill, to learn which points there are. */
  async learn(): Promise<Census> {
    await this.#copy(0, []);
    this.#census = new Map(this.outcome.met);
    return this.#census;
  }

  /**
   * Copies, with some kills each, until there were so many, or until something is found wrong where that is enough.
   * @param own the points that it is this variant's to try; others try the others.
   */
  async kill(kills: number, own: readonly string[] = [], isOneEnough = false): Promise<Outcome> {
    const { outcome } = this;
    try {
      for (let input = 1; outcome.kills < kills && input <= 4 * kills; input += 1) {
        await this.#copy(input, this.#plan(own));
        if (isOneEnough && outcome.violations.length > 0) break;
      }
    } finally {
      rmSync(this.#root, { recursive: true, force: true });
    }
    return outcome;
  }

  /** Where to kill the runs of a copy, one after the other: points, or milliseconds after the start. */
  #plan(own: readonly string[]): (string | number)[] {
    const chance = this.#chance;
    const isFresh = (point: string): boolean => !this.outcome.killed.has(point);
    const timed = (point: string): string => `${point}:${1 + chance.below(this.#census.get(point) ?? 1)}`;
    // What is met only after another kill is tried behind that one.
    const after = [...this.#ledTo].filter(([point]) => isFresh(point));
    if (after.length > 0 && chance.happens(0.4)) {
      const [point, steps] = chance.pick(after);
      return [...steps, `${point}:1`];
    }
    const any = (): string => chance.pick([...this.#census.keys()]);
    const fresh = own.filter(isFresh);
    const plan: (string | number)[] = [timed(fresh.shift() ?? any())];
    for (let more = chance.below(4); more > 0; more -= 1) {
      const next = chance.happens(0.5) ? fresh.shift() : undefined;
      if (next !== undefined) plan.push(`${next}:1`);
      else plan.push(chance.happens(0.2) ? 20 + chance.below(this.#wholeMs) : timed(any()));
    }
    return plan;
  }

  async #copy(input: number, plan: readonly (string | number)[]): Promise<void> {
    const { outcome } = this;
    const folder = join(this.#root, String(input));
    mkdirSync(folder);
    this.#variant.prepare(folder);
    const story: string[] = [];
    let killed = 0;
    for (const target of plan) {
      const ended = await this.#run(folder, target, story);
      if (!ended.isKilled) {
        story.push(`${target} was not met`);
        // Who was to lead there does not: another way may be found.
        if (typeof target === 'string') this.#ledTo.delete(target.replace(/:.*/, ''));
        break;
      }
      killed += 1;
      const left = this.#variant.look?.(folder) ?? [];
      outcome.violations.push(...left.map((violation) => `${this.#name} [${String(target)}]: ${violation}`));
      story.push(typeof target === 'number' ? `after ${target} ms` : target);
      const point = typeof target === 'number' ? undefined : target.replace(/:.*/, '');
      if (point === undefined) outcome.killedByTime += 1;
      else outcome.killed.set(point, (outcome.killed.get(point) ?? 0) + 1);
    }
    const whole = await this.#run(folder, undefined, story);
    if (killed === 0) this.#wholeMs = whole.ms;
    const violations = whole.code === 0 ? this.#variant.check(folder, killed) : [];
    if (whole.code === 0 && violations.length === 0 && input % 4 === 1) {
      // What is finished stays as it is, however often it is run.
      const again = await this.#run(folder, undefined, story);
      if (again.code === 0) violations.push(...this.#variant.check(folder, killed));
    }
    outcome.inputs += 1;
    outcome.kills += killed;
    outcome.violations.push(
      ...violations.map((violation) => `${this.#name} [${story.join(', ')}]: ${violation}`),
    );
    rmSync(folder, { recursive: true, force: true });
  }

  async #run(folder: string, target: string | number | undefined, story: readonly string[]): Promise<Ended> {
    const trace = join(this.#root, 'trace');
    writeFileSync(trace, '');
    const begun = performance.now();
    const child = spawn(process.execPath, [this.#program, this.#name, folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        STREAMWELD_TRACE: trace,
        STREAMWELD_KILL: typeof target === 'string' ? target : '',
      },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), typeof target === 'number' ? target : PATIENCE_MS);
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    clearTimeout(timer);
    const points = readFileSync(trace, 'utf8').split('\n').filter(Boolean);
    this.outcome.runs += 1;
    const { met } = this.outcome;
    for (const point of points) {
      if (this.#census.size > 0 && !this.#census.has(point) && story.every((step) => /:\d+$/.test(step))) {
        if (!this.#ledTo.has(point)) this.#ledTo.set(point, [...story]);
      }
      met.set(point, (met.get(point) ?? 0) + 1);
    }
    const isKilled = signal === 'SIGKILL' && target !== undefined;
    if (!isKilled && code !== 0) {
      this.outcome.violations.push(
        `${this.#name} [${String(target)}]: ended with ${code ?? signal}: ${stderr}`,
      );
    }
    return { isKilled, code, ms: performance.now() - begun };
  }
}

/** Each point to one of those who meet it, so that all are tried and none too often. */
export function shareOut(meetings: readonly Census[]): string[][] {
  const shares: string[][] = meetings.map(() => []);
  const all = [...new Set(meetings.flatMap((census) => [...census.keys()]))];
  const meet = (point: string): number[] =>
    [...meetings.keys()].filter((index) => meetings[index]?.has(point));
  // Those that few can try choose first.
  for (const point of all.sort((a, b) => meet(a).length - meet(b).length)) {
    const [least] = meet(point).sort((a, b) => (shares[a]?.length ?? 0) - (shares[b]?.length ?? 0));
    shares[least ?? 0]?.push(point);
  }
  return shares;
}

/** What all variants came to. */
export interface Summary {
  readonly kills: number;
  readonly inputs: number;
  readonly runs: number;
  readonly killedByTime: number;
  readonly met: readonly string[];
  readonly missed: readonly string[];
  readonly violations: readonly string[];
}

export function summarise(outcomes: readonly Outcome[]): Summary {
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const met = [...new Set(outcomes.flatMap((outcome) => [...outcome.met.keys()]))].sort();
  const killed = new Set(outcomes.flatMap((outcome) => [...outcome.killed.keys()]));
  return {
    kills: sum(({ kills }) => kills),
    inputs: sum(({ inputs }) => inputs),
    runs: sum(({ runs }) => runs),
    killedByTime: sum(({ killedByTime }) => killedByTime),
    met,
    missed: met.filter((point) => !killed.has(point)),
    violations: outcomes.flatMap(({ violations }) => violations),
  };
}

/** All of them, so many at once. */
export async function inTurns<T, R>(
  all: readonly T[],
  atOnce: number,
  task: (each: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...all.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      results[next[0]] = await task(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
