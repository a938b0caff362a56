/** The folder of the app: what a run writes, and what it finds there of an earlier one. */

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '@streamweld/app-kit';
import type { SinkName } from './sinks.ts';

/** Says that a folder is the app's: only such a one is emptied. */
const MARK = '.streamweld-logs';

export class Folder {
  readonly path: string;
  /** The logs of the producers. */
  readonly logs: string;
  /** The rolling files. */
  readonly files: string;
  readonly mailbox: string;

  private constructor(path: string) {
    this.path = path;
    this.logs = join(path, 'logs');
    this.files = join(path, 'files');
    this.mailbox = join(path, 'mails.ndjson');
  }

  /** Empty, but for its mark. @throws Refusal LOGS_FOLDER_UNUSABLE */
  static async begin(path: string): Promise<Folder> {
    const folder = new Folder(path);
    try {
      await mkdir(path, { recursive: true });
      const names = await readdir(path);
      if (names.length > 0 && !existsSync(join(path, MARK))) throw occupied(path);
      for (const name of names) if (name !== MARK) await rm(join(path, name), { recursive: true });
      await writeFile(join(path, MARK), '');
      for (const each of [folder.logs, folder.files]) await mkdir(each);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw new Refusal(
        'LOGS_FOLDER_UNUSABLE',
        `${path} cannot be used (${code}). Give another one by --out.`,
        { cause: error },
      );
    }
    return folder;
  }

  /** What waited for a sink when it was given up, as dead letters. */
  missedBy(sink: SinkName): string {
    return join(this.path, 'missed', `${sink}.ndjson`);
  }

  /** What a sink had no room for. */
  droppedBy(sink: SinkName): string {
    return join(this.path, 'dropped', `${sink}.ndjson`);
  }
}

function occupied(path: string): Refusal {
  return new Refusal(
    'LOGS_FOLDER_UNUSABLE',
    `${path} holds something else than an earlier run. Give another folder by --out, one that is empty or not there.`,
  );
}
