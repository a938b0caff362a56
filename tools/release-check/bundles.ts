/** What programs weigh that are bundled for their users: esbuild, minified, then gzip. */

import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

interface Bundle {
  readonly title: string;
  /** The package whose project it is bundled in. */
  readonly package: string;
  readonly program: string;
  /** More bytes of gzip than this are a failure: a change that makes it heavier says so, here. */
  readonly limit: number;
}

const SINK = '{ write: (items) => console.log(items) }';

export const BUNDLES: readonly Bundle[] = [
  {
    title: 'a pipeline alone',
    package: '@streamweld/core',
    program: `import { ConcurrentPipeline } from '@streamweld/core';
await new ConcurrentPipeline(['a', 'b'], ${SINK}).run();`,
    limit: 31_000,
  },
  ...(['broadcast()', 'demand()', "partition(['a', 'b'], (item) => item)"] as const).map((kind) => ({
    title: `a pipeline into a dispatcher: ${kind.slice(0, kind.indexOf('('))}`,
    package: '@streamweld/core',
    program: `import { ConcurrentPipeline, DispatchedPipelineBuilder } from '@streamweld/core';
const dispatcher = new DispatchedPipelineBuilder().${kind};
await dispatcher.subscribeSink(${SINK}, 'a');
await new ConcurrentPipeline(['a', 'b'], dispatcher.createSink()).run();`,
    limit: 46_000,
  })),
  {
    title: 'a pipeline from a file to a function',
    package: '@streamweld/file',
    program: `import { ConcurrentPipeline } from '@streamweld/core';
import { FileSource } from '@streamweld/file';
await new ConcurrentPipeline(new FileSource('app.log'), ${SINK}).run();`,
    limit: 68_000,
  },
];

export interface Weight {
  readonly minified: number;
  readonly gzip: number;
}

/** @param project where the packages are installed. */
export async function weigh(program: string, project: string): Promise<Weight> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: project },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    write: false,
    logLevel: 'error',
  });
  const bytes = outputFiles[0]?.contents ?? new Uint8Array();
  return { minified: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}
