/** The shared rules of sources and sinks, put to FileSource and FileSink. A test begins with the number of the rule. */

import { sinkSuite, sourceSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';
import { FILE_SINKS } from './sinks.ts';
import { FILE_SOURCES } from './sources.ts';

for (const [name, harness] of Object.entries(FILE_SOURCES)) {
  sourceSuite({ describe, test }, `FileSource of ${name}`, harness);
}

for (const [name, harness] of Object.entries(FILE_SINKS)) {
  sinkSuite({ describe, test }, `FileSink of ${name}`, harness);
}
