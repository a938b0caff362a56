/** The shared rules of sources, put to FileSource. A test begins with the number of the rule. */

import { sourceSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';
import { FILE_SOURCES } from './sources.ts';

for (const [name, harness] of Object.entries(FILE_SOURCES)) {
  sourceSuite({ describe, test }, `FileSource of ${name}`, harness);
}
