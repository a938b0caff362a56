/** What every contestant writes to: a sum, so that nothing can be left out, and cheap, so that moving is what counts. */

/** What came to one sink. */
export class Tally {
  count = 0;
  sum = 0;
}

export type BatchSink = (batch: readonly number[]) => void;
export type ItemSink = (item: number) => void;

/** The sinks of the loads that have four. */
export const WAYS = 4;

/** A sink of batches that sums. */
export function batchSink(tally: Tally): BatchSink {
  return (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
    tally.count += batch.length;
    tally.sum += sum;
  };
}

/** The same, to be awaited. */
export function awaitedSink(tally: Tally): (batch: readonly number[]) => Promise<void> {
  return async (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
    tally.count += batch.length;
    tally.sum += sum;
  };
}

/** A sink of single items that sums. */
export function itemSink(tally: Tally): ItemSink {
  return (item) => {
    tally.count += 1;
    tally.sum += item;
  };
}

/**
 * Four sinks of batches. They are written out one by one: four closures of one function would look like one callee to
 * the compiler, which could then inline it, and no user's four sinks are one function.
 */
export function fourBatchSinks(tallies: readonly Tally[]): readonly BatchSink[] {
  const [a, b, c, d] = tallies as [Tally, Tally, Tally, Tally];
  return [
    (batch) => {
      let sum = 0;
      for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
      a.count += batch.length;
      a.sum += sum;
    },
    (batch) => {
      let sum = 0;
      for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
      b.count += batch.length;
      b.sum += sum;
    },
    (batch) => {
      let sum = 0;
      for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
      c.count += batch.length;
      c.sum += sum;
    },
    (batch) => {
      let sum = 0;
      for (let i = 0; i < batch.length; i++) sum += batch[i] as number;
      d.count += batch.length;
      d.sum += sum;
    },
  ];
}

/** Four sinks of single items, for the peers that move items one by one. */
export function fourItemSinks(tallies: readonly Tally[]): readonly ItemSink[] {
  const [a, b, c, d] = tallies as [Tally, Tally, Tally, Tally];
  return [
    (item) => {
      a.count += 1;
      a.sum += item;
    },
    (item) => {
      b.count += 1;
      b.sum += item;
    },
    (item) => {
      c.count += 1;
      c.sum += item;
    },
    (item) => {
      d.count += 1;
      d.sum += item;
    },
  ];
}
