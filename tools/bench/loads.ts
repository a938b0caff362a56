/** All loads, in the order in which they run. */

import type { Load } from './load.ts';
import { awaited } from './loads/awaited.ts';
import { broadcast } from './loads/broadcast.ts';
import { channelBatches } from './loads/channel-batches.ts';
import { channelItems } from './loads/channel-items.ts';
import { deliveryAwaited, deliveryBroadcast, deliveryLinear } from './loads/delivery.ts';
import { demand } from './loads/demand.ts';
import { fileGunzip, fileLines, fileLinesUtf8, fileNdjson, fileWrite, fileWriteOnce } from './loads/files.ts';
import { linear } from './loads/linear.ts';
import { partitionCount } from './loads/partition-count.ts';
import { partitionKeyed } from './loads/partition-keyed.ts';
import { partitionNames } from './loads/partition-names.ts';
import { policies } from './loads/policies.ts';

export const LOADS: readonly Load[] = [
  linear,
  awaited,
  policies,
  broadcast,
  demand,
  partitionNames,
  partitionCount,
  partitionKeyed,
  channelItems,
  channelBatches,
  deliveryLinear,
  deliveryAwaited,
  deliveryBroadcast,
  fileLines,
  fileLinesUtf8,
  fileNdjson,
  fileGunzip,
  fileWrite,
  fileWriteOnce,
];
