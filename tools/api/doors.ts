import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One entry of the `exports` of a public package: what its users can import from. */
export interface Door {
  /** As in `package.json`: `@streamweld/core`. */
  readonly package: string;
  /** What users write: `@streamweld/core/connector`. */
  readonly specifier: string;
  /** The folder of the package, absolute. */
  readonly root: string;
  /** The declarations that the build makes for it, absolute. */
  readonly types: string;
  /** The reviewed file, relative to the workspace: `packages/core/api/connector.api.md`. */
  readonly file: string;
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Entries;
  readonly publishConfig?: { readonly exports?: Entries };
}

/** An entry may also be a plain path, as that of `./package.json`: such a one has no declarations. */
type Entries = Readonly<Record<string, string | { readonly types?: string }>>;

/** The doors of every package of `workspace/packages` that is published, in the order of the folders. */
export function findDoors(workspace: string): Door[] {
  return readdirSync(join(workspace, 'packages'))
    .sort()
    .flatMap((folder) => {
      const root = join(workspace, 'packages', folder);
      if (!existsSync(join(root, 'package.json'))) return [];
      const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
      if (manifest.private) return [];
      // A package of commands alone has no doors.
      const entries = manifest.publishConfig?.exports ?? manifest.exports ?? {};
      return Object.entries(entries).flatMap(([door, entry]) => {
        if (typeof entry === 'string' || entry.types === undefined) return [];
        const file = door === '.' ? 'index' : door.slice(2).replaceAll('/', '-');
        return {
          package: manifest.name,
          specifier: manifest.name + door.slice(1),
          root,
          types: join(root, entry.types),
          file: `packages/${folder}/api/${file}.api.md`,
        };
      });
    });
}
