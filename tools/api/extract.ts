import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompilerState, Extractor, ExtractorConfig, type ExtractorLogLevel } from '@microsoft/api-extractor';
import type { Door } from './doors.ts';
import { type DoorReport, tidy } from './tidy.ts';

const TYPE_ROOTS = [join(import.meta.dirname, '../../node_modules/@types')];

/**
 * Reads the declarations of each door, which must have been built.
 *
 * API Extractor reads them with a TypeScript of its own, a line behind ours, which has no API. One program is made for
 * all doors: that is half of the time.
 *
 * @throws Error when declarations cannot be read or are wrong, with what the compiler said.
 */
export function extractAll(doors: readonly Door[]): Map<Door, DoorReport> {
  const folder = mkdtempSync(join(tmpdir(), 'streamweld-api-'));
  const reports = new Map<Door, DoorReport>();
  try {
    let state: CompilerState | undefined;
    for (const [index, door] of doors.entries()) {
      const own = join(folder, `${index}`);
      mkdirSync(own);
      const config = configOf(door, own);
      state ??= CompilerState.create(config, { additionalEntryPoints: doors.map(({ types }) => types) });
      reports.set(door, tidy(door.specifier, extract(config, state, own)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return reports;
}

function extract(config: ExtractorConfig, compilerState: CompilerState, folder: string): string {
  const said: string[] = [];
  const { succeeded } = Extractor.invoke(config, {
    compilerState,
    localBuild: true,
    messageCallback(message) {
      if (['error', 'warning'].includes(message.logLevel) && !message.messageId.startsWith('console-'))
        said.push(message.formatMessageWithLocation(undefined));
      message.handled = true;
    },
  });
  if (!succeeded || said.length > 0)
    throw new Error(`The declarations of ${config.mainEntryPointFilePath} are wrong:\n${said.join('\n')}`);
  return readFileSync(join(folder, 'door.public.api.md'), 'utf8');
}

function configOf({ root, types }: Door, folder: string): ExtractorConfig {
  const silent = { logLevel: 'none' as ExtractorLogLevel, addToApiReportFile: false };
  return ExtractorConfig.prepare({
    configObjectFullPath: join(root, 'api-extractor.json'),
    packageJsonFullPath: join(root, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: types,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2023',
            lib: ['es2023', 'esnext.disposable'],
            module: 'nodenext',
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: true,
            typeRoots: TYPE_ROOTS,
            types: ['node'],
          },
          files: [types],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: 'door',
        // Of the variants, the one that leaves out what is marked @internal.
        reportVariants: ['public'],
        includeForgottenExports: true,
        reportFolder: folder,
        reportTempFolder: join(folder, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { ...silent, logLevel: 'error' as ExtractorLogLevel } },
        extractorMessageReporting: { default: silent },
        tsdocMessageReporting: { default: silent },
      },
    },
  });
}
