/** Takes a checkpoint over and saves again and again, telling each, until it is refused. */

import { FileCheckpointStore } from '@streamweld/file';

const [folder = '', who = ''] = process.argv.slice(2);
const run = await new FileCheckpointStore(folder).acquire('orders');
console.log('acquired');
for (let number = 1; ; number += 1) {
  try {
    await run.save('orders', new Map([['lane', { who, number }]]));
    console.log(`saved ${number}`);
  } catch (error) {
    console.log((error as { code: string }).code);
    break;
  }
}
