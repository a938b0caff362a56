import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** A test as a platform told of it. */
export interface Told {
  readonly project: string;
  /** From the folder of the project on. */
  readonly file: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  /** Why it was skipped, where it was told. */
  readonly why?: string | undefined;
  readonly error?: string | undefined;
}

export interface Tally {
  readonly tests: readonly Told[];
  /** Of files that did not load, and errors outside every test. */
  readonly errors: readonly string[];
}

/** Writes down what became of each test, into the file that `STREAMWELD_EVERYWHERE_TALLY` names. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const errors = unhandled.map((error) => error.stack ?? error.message);
    const tests: Told[] = [];
    for (const module of modules) {
      const file = path.relative(module.project.config.root, module.moduleId);
      errors.push(...module.errors().map((error) => `${file}: ${error.message}`));
      for (const suite of module.children.allSuites())
        errors.push(...suite.errors().map((error) => `${file}, ${suite.fullName}: ${error.message}`));
      for (const test of module.children.allTests()) {
        const result = test.result();
        tests.push({
          project: module.project.name,
          file,
          name: test.fullName,
          state: result.state,
          why: result.state === 'skipped' ? result.note : undefined,
          error: result.state === 'failed' ? result.errors[0]?.message : undefined,
        });
      }
    }
    const to = process.env['STREAMWELD_EVERYWHERE_TALLY'];
    if (to === undefined) throw new Error('STREAMWELD_EVERYWHERE_TALLY names no file.');
    writeFileSync(to, JSON.stringify({ tests, errors } satisfies Tally));
  }
}
