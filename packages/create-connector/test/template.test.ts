/** What the template holds is a connector that works: its own tests, as they stand in it. */

import '../template/test/client.test.ts';
import '../template/test/conformance.test.ts';
import '../template/test/faults.test.ts';
import '../template/test/options.test.ts';
import '../template/test/sink.test.ts';
import '../template/test/source.test.ts';
