/** Where a sink task takes its parcels from. */

import type { BatchChannel } from '../channel/batch-channel.ts';
import { joinParcels, type Parcel } from '../delivery/parcel.ts';

export interface Intake<T> {
  /** Items that can be taken now. */
  readonly queued: number;
  /** No more will come. */
  readonly isClosed: boolean;
  /** Where the parcel that was taken last brings the source, if its sink keeps positions: by lane, for those that move. */
  readonly positions?: ReadonlyMap<string, unknown> | undefined;
  /** The next 1 to `max` items, which count as held until they are released. */
  take(max: number): Parcel<T> | undefined;
  /** What was taken needs its room no more. */
  release(parcel: Parcel<T>): void;
}

/** A channel, from which small parcels are joined for one write. */
export class ChannelIntake<T> implements Intake<T> {
  readonly #channel: BatchChannel<Parcel<T>>;

  constructor(channel: BatchChannel<Parcel<T>>) {
    this.#channel = channel;
  }

  get queued(): number {
    return this.#channel.queued;
  }

  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  take(max: number): Parcel<T> | undefined {
    const first = this.#channel.take(max);
    if (first === undefined || first.items.length === max || this.#channel.queued === 0) return first;
    const parcels = [first];
    let missing = max - first.items.length;
    while (missing > 0) {
      const next = this.#channel.take(missing);
      if (next === undefined) break;
      parcels.push(next);
      missing -= next.items.length;
    }
    return joinParcels(parcels);
  }

  release(parcel: Parcel<T>): void {
    this.#channel.release(parcel.items.length);
  }
}
