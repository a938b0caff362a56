/** Tries power losses at every boundary between two operations, and layers that lie or die. */

import type { FileHandle, FileSystem } from '@streamweld/file';
import { Chance } from './chance.ts';
import { type Choice, CrashModel, EDGES, fingerprintOf, randomChoice } from './crash-states.ts';
import { MemoryDisk } from './memory-disk.ts';

export interface Plan {
  readonly seed: number;
  /** How many states are made by chance at each boundary, beside the edges of the model. */
  readonly perBoundary: number;
  /** A boundary of this many: where a check takes long, not all are visited. Default 1: all are. */
  readonly every?: number;
  /** Skip the operations before this one: they were tried already. */
  readonly from?: number;
}

export interface Exploration {
  /** States that differ from each other, at each boundary. */
  states: number;
  boundaries: number;
  readonly violations: string[];
}

export const nothingExplored = (): Exploration => ({ states: 0, boundaries: 0, violations: [] });

/** What a recorded run leaves: the model as it was before, and what was done. */
export interface Recording {
  readonly disk: MemoryDisk;
  readonly model: CrashModel;
}

/** Begins to record: what is on the disk now is durable. */
export function record(disk: MemoryDisk = new MemoryDisk()): Recording {
  return { disk, model: new CrashModel(disk.root) };
}

/**
 * Crashes at every boundary in every way; `check` gets what is left and what the run had remarked by then, and throws
 * where that breaks a promise.
 */
export async function explore(
  { disk: { log }, model }: Recording,
  plan: Plan,
  check: (disk: MemoryDisk, notes: readonly unknown[], chance: Chance) => Promise<void>,
  found: Exploration = nothingExplored(),
): Promise<Exploration> {
  const chance = new Chance(plan.seed);
  const notes: unknown[] = [];
  const { every = 1, from = 0 } = plan;
  // The log may grow under a check that goes on with the same disk: it is not to.
  for (const [index, operation] of [undefined, ...log.slice()].entries()) {
    if (operation !== undefined) model.apply(operation);
    if (operation?.kind === 'note') notes.push(operation.note);
    if (index < from || (every > 1 && index < log.length && !chance.happens(1 / every))) continue;
    found.boundaries += 1;
    const choices: [string, Choice][] = Object.entries(EDGES);
    for (let state = 1; state <= plan.perBoundary; state += 1)
      choices.push([`chance ${state}`, randomChoice(chance)]);
    const seen = new Set<string>();
    for (const [name, choice] of choices) {
      const root = model.crash(choice);
      const fingerprint = fingerprintOf(root);
      if (seen.has(fingerprint)) continue;
      seen.add(fingerprint);
      found.states += 1;
      try {
        await check(new MemoryDisk(root), notes, chance);
      } catch (error) {
        found.violations.push(`after operation ${index} (seed ${plan.seed}, ${name}): ${told(error)}`);
      }
    }
  }
  return found;
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `; ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

/** A layer whose syncs of some paths do nothing, and say they did. */
export function withoutSync(fs: FileSystem, isMeant: (path: string) => boolean): FileSystem {
  return wrapped(fs, (path, handle) => {
    if (!isMeant(path)) return handle;
    return override(handle, { sync: async () => {}, datasync: async () => {} });
  });
}

/** A layer of a process that is killed after so many operations: from then on nothing it does has any effect. */
export function dyingAfter(disk: MemoryDisk, operations: number): FileSystem {
  const end = disk.log.length + operations;
  const check = (): void => {
    if (disk.log.length >= end) throw new Error('This process was killed.');
  };
  return guarded(
    override<FileSystem>(disk, { open: async (...args) => guarded(await disk.open(...args), check) }),
    check,
  );
}

/** The same object; `check` is called before each of its methods and may throw in its place. */
function guarded<T extends object>(object: T, check: () => void): T {
  return new Proxy(object, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        check();
        return value.apply(target, args) as unknown;
      };
    },
  });
}

/** The same layer with other handles. */
export function wrapped(fs: FileSystem, wrap: (path: string, handle: FileHandle) => FileHandle): FileSystem {
  return override(fs, { open: async (path, ...rest) => wrap(path, await fs.open(path, ...rest)) });
}

/** The same object, but for some methods. */
export function override<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, key) {
      const other: unknown = Reflect.get(methods, key);
      if (other !== undefined) return other;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
