import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder with files that is gone at the end of its block. */
export class Workspace {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'streamweld-api-test-'));

  write(path: string, text: string): this {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return this;
  }

  /** A package `@test/<name>` with one door, whose declarations are these. */
  package(name: string, declarations: string, version = '0.1.0'): this {
    const manifest = {
      name: `@test/${name}`,
      version,
      type: 'module',
      exports: { '.': { types: './dist/index.d.ts' }, './package.json': './package.json' },
    };
    return this.write(`packages/${name}/package.json`, JSON.stringify(manifest)).write(
      `packages/${name}/dist/index.d.ts`,
      declarations,
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
