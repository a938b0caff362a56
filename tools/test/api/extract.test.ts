import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare } from '../../api/compare.ts';
import { findDoors } from '../../api/doors.ts';
import { extractAll } from '../../api/extract.ts';
import type { DoorReport } from '../../api/tidy.ts';
import { Workspace } from './workspace.ts';

const here = join(import.meta.dirname, '../../..');

describe('the reviewed files', () => {
  const doors = findDoors(here);

  it('say what the doors export', { timeout: 300_000 }, () => {
    for (const { types } of doors)
      expect(existsSync(types), `${types}: build first, pnpm typecheck`).toBe(true);
    for (const [door, { text }] of extractAll(doors)) {
      const reviewed = readFileSync(join(here, door.file), 'utf8');
      expect(reviewed, `Is the change of ${door.specifier} meant? Then pnpm api, and a changeset.`).toBe(
        text,
      );
    }
  });

  it('are there for each door of each package that is published', () => {
    expect(doors.map(({ specifier }) => specifier)).toEqual(
      expect.arrayContaining([
        '@streamweld/core',
        '@streamweld/core/connector',
        '@streamweld/kafka/platformatic',
        '@streamweld/observe/otel',
        '@streamweld/testing',
      ]),
    );
  });
});

const BEFORE = `
import type { Inside } from './inside.ts';
/** Options. */
export interface OpenOptions {
  /** How many. */
  readonly maxItems?: number | undefined;
  readonly mode: Mode;
}
type Mode = 'r' | 'w';
export declare class Handle<T> {
  #private;
  private secret;
  readonly name: string;
  /** @internal */
  constructor(inside: Inside);
  read(max: number): readonly T[];
}
/** Opens it. */
export declare function open<T>(name: string, options?: OpenOptions): Handle<T>;
/**
 * Opens it at a place.
 * @deprecated since 0.3.0, to go in 1.0.0: use \`open\` with a name.
 */
export declare function open<T>(name: URL): Handle<T>;
export declare const close: (handle: Handle<unknown>) => void;
export {};
`;
const INSIDE =
  'export interface Inside { readonly lane: Lane }\nexport interface Lane { readonly name: string }\n';

/** What is broken on purpose, and what a reviewer is told. */
const CHANGES: Readonly<
  Record<string, { from: string; to: string; breaking?: readonly string[]; added?: readonly string[] }>
> = {
  'an option that is renamed': {
    from: 'maxItems?',
    to: 'atMost?',
    breaking: [
      'OpenOptions: was  readonly maxItems?: number | undefined;',
      'OpenOptions: now  readonly atMost?: number | undefined;',
    ],
  },
  'a parameter that is widened': {
    from: 'read(max: number)',
    to: 'read(max: number | bigint)',
    breaking: [
      'Handle: was  read(max: number): readonly T[];',
      'Handle: now  read(max: number | bigint): readonly T[];',
    ],
  },
  'a return that is narrowed': {
    from: 'max: number): readonly T[]',
    to: 'max: number): [T]',
    breaking: ['Handle: was  read(max: number): readonly T[];', 'Handle: now  read(max: number): [T];'],
  },
  'an export that is removed': {
    from: 'export declare const close: (handle: Handle<unknown>) => void;',
    to: '',
    breaking: ['close is exported no more'],
  },
  'a type of a signature that changes, though it is not exported': {
    from: "'r' | 'w'",
    to: "'r'",
    breaking: ["Mode: was  type Mode = 'r' | 'w';", "Mode: now  type Mode = 'r';"],
  },
  'an option that is new': {
    from: 'readonly mode: Mode;',
    to: 'readonly mode: Mode;\n  readonly lingerMs?: number | undefined;',
    added: ['OpenOptions: now  readonly lingerMs?: number | undefined;'],
  },
  'an option that is new and demanded': {
    from: 'readonly mode: Mode;',
    to: 'readonly mode: Mode;\n  readonly lingerMs: number;',
    breaking: ['OpenOptions: now  readonly lingerMs: number;'],
  },
  'a method of a class that is new': {
    from: 'readonly name: string;',
    to: 'readonly name: string;\n  peek(): T | undefined;',
    added: ['Handle: now  peek(): T | undefined;'],
  },
  'an export that is new': {
    from: '/** Options. */',
    to: 'export declare function flush(): void;',
    added: ['flush is new'],
  },
  'a name that is deprecated': {
    from: 'export declare const close',
    to: '/** @deprecated since 0.3.0, to go in 1.0.0: use `end`. */\nexport declare const close',
    added: ['close: now  // @deprecated'],
  },
  'a comment that is written anew': { from: '/** How many. */', to: '' },
  'what is private and what is inside': {
    from: 'private secret;',
    to: 'private more;\n  /** @internal */\n  lane(): string;',
  },
};

describe('extractAll', () => {
  const workspace = new Workspace();
  const reports = new Map<string, DoorReport>();
  const numbers = Object.keys(CHANGES);

  beforeAll(() => {
    workspace.package('before', BEFORE).write('packages/before/dist/inside.d.ts', INSIDE);
    for (const [index, { from, to }] of Object.values(CHANGES).entries()) {
      expect(BEFORE).toContain(from);
      workspace
        .package(`after-${index}`, BEFORE.replace(from, to))
        .write(`packages/after-${index}/dist/inside.d.ts`, INSIDE);
    }
    for (const [door, report] of extractAll(findDoors(workspace.folder))) reports.set(door.package, report);
  }, 300_000);
  afterAll(() => workspace[Symbol.dispose]());

  it('writes what can be imported, without comments, and without what is private or inside', () => {
    expect(reports.get('@test/before')?.text.split('```')[1]).toBe(`ts
export const close: (handle: Handle<unknown>) => void;

export class Handle<T> {
    readonly name: string;
    read(max: number): readonly T[];
}

type Mode = 'r' | 'w';

export function open<T>(name: string, options?: OpenOptions): Handle<T>;

// @deprecated
export function open<T>(name: URL): Handle<T>;

export interface OpenOptions {
    readonly maxItems?: number | undefined;
    readonly mode: Mode;
}
`);
  });

  it('tells what a signature names and nobody can import', () => {
    expect(reports.get('@test/before')?.unexported).toEqual(['Mode']);
  });

  for (const [what, { breaking = [], added = [] }] of Object.entries(CHANGES)) {
    it(`shows ${what}`, () => {
      const after = reports.get(`@test/after-${numbers.indexOf(what)}`);
      expect(compare(reports.get('@test/before')?.text, after?.text)).toEqual({ breaking, added });
    });
  }
});
