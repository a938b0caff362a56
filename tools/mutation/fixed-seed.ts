/** Properties draw the same cases for each mutant, and stop at the first that fails. */

import fc from 'fast-check';

fc.configureGlobal({ seed: 20_251_124, endOnFailure: true });
