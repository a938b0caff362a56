/** Files are looked at before the first item is encoded for them: whether they may be written to, and where they end. */

import { adopt } from './sink-adopt.ts';
import { Part } from './sink-part.ts';
import { numbered } from './sink-path.ts';
import { lastSequence, occupied } from './sink-place.ts';
import type { Recovery } from './sink-recovery.ts';
import type { Target } from './sink-target.ts';
import type { WayOptions } from './sink-way.ts';
import { statFile, type Workshop } from './sink-workshop.ts';

/**
 * Gives a target the part that is written behind, if there is one: what the ledger knows; else what is there, if it may be
 * added to. With a ledger that does not know it, a file that is not empty is somebody else's, unless the user says more.
 */
export async function claim<T>(
  options: WayOptions<T>,
  recovery: Recovery<T> | undefined,
  target: Target<T>,
): Promise<void> {
  const { shop, roll } = options;
  if (target.part !== undefined || recovery?.resume(target) === true) return;
  const mayAdd = recovery === undefined || recovery.isAppended;
  if (roll !== undefined) {
    const last = await lastSequence(shop, target);
    if (last === 0 || mayAdd) return;
    target.sequence = undefined;
    throw occupied(shop, numbered(target.path, last));
  }
  if (!mayAdd) return checkFree(shop, target.path);
  const found = await adopt(options, target);
  if (found === undefined) return;
  target.part = new Part(found.body, target.isZipped, found.encoder, found.progress);
  target.part.opening = found.opening;
}

/** Nothing is there, or nothing is in it. */
export async function checkFree(shop: Workshop, path: string): Promise<void> {
  const stat = await statFile(shop, path);
  if (stat !== undefined && stat.size > 0) throw occupied(shop, path);
}
