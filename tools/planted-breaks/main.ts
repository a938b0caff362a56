/** Plants every break and tells which tests saw it: `pnpm planted`, or `pnpm planted "attempt"` for those so named. */

import { BREAKS } from './breaks.ts';
import { plant } from './plant.ts';

const [wanted = ''] = process.argv.slice(2);
for (const planted of BREAKS.filter(({ name }) => name.includes(wanted))) {
  const seen = await plant(planted);
  console.log(`${seen.length > 0 ? 'seen  ' : 'UNSEEN'} ${planted.name}`);
  for (const test of seen.slice(0, 3)) console.log(`         ${test}`);
  if (seen.length === 0) process.exitCode = 1;
}
