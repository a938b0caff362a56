/** A quarter of the worlds that `pnpm test:deep` plays. */

import { testShard } from './storm.ts';

testShard(2);
