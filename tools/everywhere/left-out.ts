/**
 * Which tests a platform does not run, and why: nothing is left out in any other place. What stands here is counted and
 * told as left out; what neither ran nor stands here fails the command.
 */

export interface LeftOut {
  /** A name of `PLATFORMS`. */
  readonly platform: string;
  readonly project: string;
  /** A file of the project, from its folder on. */
  readonly file: string;
  /** The tests of the file that it is about, by their names. Default: all of them. */
  readonly test?: RegExp;
  readonly why: string;
}

// Core is right there: started by a shell and sent the same signals, the programs end with 0 and 130.
const DENO_CHILDREN =
  "Deno's node:child_process takes a child for ended by the signal that it sent, though the child handles it";
const BUN_GC = "says when V8's collector frees an object; Bun has JavaScriptCore";

/** Files of core that a page cannot load. */
const NOT_IN_PAGES: Readonly<Record<string, readonly string[]>> = {
  'the test starts processes, of which a page has none': [
    'test/dispatch/memory.test.ts',
    'test/pipeline/graceful-shutdown.test.ts',
    'test/pipeline/heap.test.ts',
    'test/pipeline/processes.test.ts',
  ],
  'the test reads files': ['test/dispatch/genstage.test.ts', 'test/kernel/runtime.test.ts'],
  'the test uses streams of Node': [
    'test/flow/to-sink.test.ts',
    'test/flow/to-source.test.ts',
    'test/propagation/propagation.test.ts',
  ],
  'the test uses modules of Node to see what it sees': [
    'test/dispatch/strategies.test.ts',
    'test/flow/flow-abandoned.test.ts',
    'test/kernel/errors.test.ts',
    'test/pipeline/accepted.test.ts',
    'test/small-heap.test.ts',
  ],
  'the simulator asks Node for rejections and listeners': [
    'test/simulation/replay.test.ts',
    'test/simulation/storm-1.test.ts',
    'test/simulation/storm-2.test.ts',
  ],
  'the small worlds take turns by process.nextTick': ['test/small-worlds/dispatcher.test.ts'],
};

export const LEFT_OUT: readonly LeftOut[] = [
  ...Object.entries(NOT_IN_PAGES).flatMap(([why, files]) =>
    files.map((file) => ({ platform: 'chromium', project: 'core', file, why })),
  ),
  { platform: 'bun', project: 'core', file: 'test/flow/flow-abandoned.test.ts', why: BUN_GC },
  {
    platform: 'bun',
    project: 'core',
    file: 'test/pipeline/heap.test.ts',
    why: 'bounds the heap with a flag of V8; Bun has JavaScriptCore, which has none',
  },
  {
    platform: 'deno',
    project: 'core',
    file: 'test/pipeline/graceful-shutdown.test.ts',
    test: /^drains at the first SIG|^aborts at the second|^drains at once what begins|^is ended by the third|^hears the signals/,
    why: DENO_CHILDREN,
  },
  {
    platform: 'deno',
    project: 'core',
    file: 'test/pipeline/processes.test.ts',
    test: /\[fault 16\]/,
    why: DENO_CHILDREN,
  },
];

/** @returns why this test is not run there; nothing, if it is */
export function whyLeftOut(
  platform: string,
  project: string,
  file: string,
  test: string,
): string | undefined {
  return LEFT_OUT.find(
    (each) =>
      each.platform === platform &&
      each.project === project &&
      each.file === file &&
      (each.test?.test(test) ?? true),
  )?.why;
}
