/** Which ledger is a sink's, and whether it may have it. */

import { createHash } from 'node:crypto';
import type { LedgerContent } from './ledger.ts';
import { voided } from './ledger.ts';
import { type LedgerPlace, occupied, unnamed } from './ledger-errors.ts';
import type { CheckedSinkOptions } from './sink-options.ts';
import { LEDGERS } from './source-listing.ts';

/** What a name may have where objects are files. */
const LONGEST_NAME = 200;

/** Who wants it. */
export interface Claimant {
  readonly place: LedgerPlace;
  /** What tells the sink from others; empty where only its ledger does. */
  readonly sink: string;
  /** What its user calls it. */
  readonly name: string | undefined;
  /** Whose positions it keeps; null where it keeps none. */
  readonly checkpoint: string | null;
}

type Told = Pick<CheckedSinkOptions<never>, 'reach' | 'bucket' | 'ledger' | 'template' | 'givenName'>;

/** @throws S3Error SW_S3_LEDGER_UNNAMED */
export function claimantOf(options: Told, checkpoint: string | null): Claimant {
  const { reach, bucket, ledger, template, givenName: name } = options;
  const sink = template ?? name ?? checkpoint ?? '';
  // What a function makes is no name: it may draw a number, or read a clock.
  if (sink === '' && ledger === undefined) throw unnamed(reach.name, bucket);
  return { place: { stage: reach.name, bucket, key: ledger ?? keyOf(sink) }, sink, name, checkpoint };
}

function keyOf(sink: string): string {
  const name = encodeURIComponent(sink);
  if (name.length <= LONGEST_NAME) return `${LEDGERS}${name}.json`;
  const digest = createHash('sha256').update(sink).digest('hex').slice(0, 32);
  return `${LEDGERS}${name.slice(0, LONGEST_NAME - digest.length)}${digest}.json`;
}

/**
 * What the ledger is to hold when the claimant has it.
 * @throws S3Error SW_S3_LEDGER_OCCUPIED
 */
export function claim(found: LedgerContent, { place, sink, name, checkpoint }: Claimant): LedgerContent {
  // One that was opened and never wrote, nor kept where its source was, claims nothing.
  const isUsed = found.next > 1 || found.positions.length > 0;
  const isSame = (found.sink === sink || found.sink === name) && found.checkpoint === checkpoint;
  if (isUsed && !isSame) throw occupied(place, found);
  return { ...found, sink, checkpoint, void: checkpoint === null ? found.void : voided(found) };
}
