/** A program whose page may be open as it ends: it runs when it is told to, and then has nothing more to do. */

import { once } from 'node:events';
import { ConcurrentPipeline, from } from '@streamweld/core';
import { inspector } from '../../src/inspector/inspector.ts';

const pipeline = new ConcurrentPipeline(from([1, 2, 3]), () => {});
const { url } = await inspector(pipeline);
console.log(url);
await once(process.stdin, 'data');
process.stdin.destroy();
const { written } = await pipeline.run();
console.log(`written ${written}`);
