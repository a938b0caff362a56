/** Half of the worlds that every run of the tests plays. */

import { testShard } from './storm.ts';

testShard(1);
