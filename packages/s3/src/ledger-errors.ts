/** What can be wrong with a ledger, in words that say what to do. */

import { StreamWeldError } from '@streamweld/core/connector';
import { S3Error } from './errors.ts';
import type { LedgerContent } from './ledger.ts';

/** Of which ledger, and of which sink. */
export interface LedgerPlace {
  readonly stage: string;
  readonly bucket: string;
  readonly key: string;
}

function told({ stage, bucket, key }: LedgerPlace, first: 't' | 'T' = 't'): string {
  return `${first}he ledger of '${stage}', ${JSON.stringify(key)} in bucket ${JSON.stringify(bucket)}`;
}

export function damagedLedger(place: LedgerPlace, what: string): S3Error {
  return new S3Error(
    'SW_S3_LEDGER_DAMAGED',
    `${told(place, 'T')}, cannot be used: ${what}. Nothing is guessed: restore it, or give the sink another key and ledger and begin anew.`,
    placeOf(place),
  );
}

export function fenced(place: LedgerPlace): StreamWeldError {
  return new StreamWeldError(
    'SW_CHECKPOINT_FENCED',
    `Another sink has taken over ${told(place)}: this one writes no more. End one of the two; two that are to write side by side need keys and a ledger (or a name) of their own.`,
    { stage: place.stage },
  );
}

/** It was there, and this sink had it. */
export function missingLedger(place: LedgerPlace): S3Error {
  return new S3Error(
    'SW_S3_LEDGER_MISSING',
    `Somebody has deleted ${told(place)}, while this sink had it. Without it nobody knows which numbers are taken, and which objects count: this sink writes no more. Look for who deletes there, a rule of the bucket perhaps. Where the bucket keeps versions, bring the last one back, and the next run goes on from it; otherwise remove the objects of the sink as well, and begin anew.`,
    placeOf(place),
  );
}

/** @param found what it holds */
export function occupied(
  place: LedgerPlace,
  { sink, checkpoint }: Pick<LedgerContent, 'sink' | 'checkpoint'>,
): S3Error {
  const who = sink === '' ? 'a sink without a name' : `the sink ${JSON.stringify(sink)}`;
  const whose =
    checkpoint === null ? 'without a checkpoint' : `with the checkpoint ${JSON.stringify(checkpoint)}`;
  const same =
    sink === '' ? '' : ` If this is that sink with another key, give it the name ${JSON.stringify(sink)}.`;
  return new S3Error(
    'SW_S3_LEDGER_OCCUPIED',
    `What is to be ${told(place)}, belongs to ${who}, ${whose}: it counts other objects. Give this sink a ledger of its own.${same} If the other is never to go on, remove the ledger.`,
    placeOf(place),
  );
}

/** @param stage the sink */
export function unnamed(stage: string, bucket: string): S3Error {
  return new S3Error(
    'SW_S3_LEDGER_UNNAMED',
    `The key of '${stage}' is a function, and nothing tells this sink from others: in its next run it would not find what it left in this one. Give it a name (or the key of its ledger).`,
    { stage, bucket },
  );
}

/** @param what the store does */
export function unreliable(place: LedgerPlace, what: string): S3Error {
  return new S3Error(
    'SW_S3_UNSUPPORTED',
    `The store of ${told(place)}, ${what}: a second writer would not be noticed. Set conditional: false if nobody else writes these keys; exactly once needs a store that knows If-None-Match and If-Match.`,
    placeOf(place),
  );
}

function placeOf({ stage, bucket, key }: LedgerPlace): LedgerPlace {
  return { stage, bucket, key };
}
