/** The worlds that every run of the tests plays: a quarter of those of `pnpm test:deep`. */

import { testShard } from './storm.ts';

testShard(1);
